# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Ids that are missing, unknown, of another kind or of another life, in every call that has one."""

from collections.abc import Callable
from typing import Any

from bad_input_world import Case, World, layer, queries
from sluice._generated import admin_pb2, policy_pb2, sequence_pb2, step_pb2

FULL = policy_pb2.Policy(preset="full")

# How a request names an id: method, field, what kind it is, and the request with that id.
PLACES: list[tuple[str, str, str, Callable[[World, int], Any]]] = [
    ("CreateSequence", "model_id", "MODEL",
     lambda w, id: sequence_pb2.CreateSequenceRequest(model_id=id)),
    ("MatchPrefix", "model_id", "MODEL",
     lambda w, id: sequence_pb2.MatchPrefixRequest(model_id=id)),
    ("ForkSequences", "parents[1]", "SEQUENCE",
     lambda w, id: sequence_pb2.ForkSequencesRequest(parents=[w.idle, id])),
    ("FreeSequences", "sequence_ids[1]", "SEQUENCE",
     lambda w, id: sequence_pb2.FreeSequencesRequest(sequence_ids=[w.idle, id])),
    ("GetSequence", "sequence_id", "SEQUENCE",
     lambda w, id: sequence_pb2.GetSequenceRequest(sequence_id=id)),
    ("SetPolicy", "sequence_id", "SEQUENCE",
     lambda w, id: sequence_pb2.SetPolicyRequest(sequence_id=id, policy=FULL)),
    ("Compress", "sequence_id", "SEQUENCE",
     lambda w, id: sequence_pb2.CompressRequest(sequence_id=id)),
    ("ExplainSequence", "sequence_id", "SEQUENCE",
     lambda w, id: sequence_pb2.ExplainSequenceRequest(sequence_id=id)),
    ("InspectSequence", "sequence_id", "SEQUENCE",
     lambda w, id: admin_pb2.InspectSequenceRequest(sequence_id=id)),
    ("InspectHeadCache", "sequence_id", "SEQUENCE",
     lambda w, id: sequence_pb2.ExplainSequenceRequest(sequence_id=id)),
    ("BeginStep", "entries[0].sequence_id", "SEQUENCE", lambda w, id: w.begin(sequence_id=id)),
    ("EndStep", "step_id", "STEP", lambda w, id: step_pb2.EndStepRequest(step_id=id, abort=True)),
    ("Append", "step_id", "STEP",
     lambda w, id: step_pb2.AppendRequest(step_id=id, layers=[layer(0, 1)])),
    ("Append", "entry.sequence_id", "SEQUENCE", lambda w, id: w.own_step(id, 0, 1)),
    ("Attend", "step_id", "STEP",
     lambda w, id: step_pb2.AttendRequest(step_id=id, q=queries(1))),
    ("Attend", "sequences.sequences[1].sequence_id", "SEQUENCE",
     lambda w, id: w.read((w.idle, 1), (id, 1))),
]  # fmt: skip

SESSIONS: list[tuple[str, Callable[[World, int], Any]]] = [
    ("CreateSequence",
     lambda w, id: sequence_pb2.CreateSequenceRequest(model_id=w.model, session_id=id)),
    ("ForkSequences",
     lambda w, id: sequence_pb2.ForkSequencesRequest(parents=[w.idle], session_id=id)),
]  # fmt: skip


def _of_another_kind(world: World, kind: str) -> int:
    return {"MODEL": world.idle, "SEQUENCE": world.step, "STEP": world.model}[kind]


def _cases_of(
    method: str, field: str, kind: str, request: Callable[[World, int], Any]
) -> list[Case]:
    unknown = ("NOT_FOUND", f"UNKNOWN_{kind}")
    stale = ("FAILED_PRECONDITION", "STALE_EPOCH")
    kinds: list[tuple[str, Callable[[World], int], tuple[str, ...]]] = [
        ("zero", lambda w: 0, ()),
        ("unknown", lambda w: w.unknown, unknown),
        ("other kind", lambda w: _of_another_kind(w, kind), unknown),
        ("other epoch", lambda w: w.stale, stale),
    ]
    return [
        Case(f"{field}: {name}", method, lambda w, id_of=id_of: request(w, id_of(w)), field, *how)
        for name, id_of, how in kinds
    ]


CASES = [case for place in PLACES for case in _cases_of(*place)]
CASES += [
    case
    for method, request in SESSIONS
    for case in _cases_of(method, "session_id", "SESSION", request)
    if not case.name.endswith(("zero", "other kind"))  # 0 is no session, which is allowed
]
CASES += [
    Case("a freed sequence", "GetSequence",
         lambda w: sequence_pb2.GetSequenceRequest(sequence_id=w.freed), "sequence_id",
         "NOT_FOUND", "UNKNOWN_SEQUENCE"),
    Case("a session's id is another's", "CreateSequence",
         lambda w: sequence_pb2.CreateSequenceRequest(model_id=w.model, session_id=w.idle),
         "session_id", "NOT_FOUND", "UNKNOWN_SESSION"),
]  # fmt: skip
