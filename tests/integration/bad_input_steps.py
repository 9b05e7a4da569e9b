# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Steps that cannot begin or end, and calls that come out of their order."""

from typing import Any

from bad_input_world import LENGTH, Case, layer, queries, values
from sluice._generated import sequence_pb2, step_pb2

MOST = (1 << 63) - 1
MISMATCH = ("FAILED_PRECONDITION", "LENGTH_MISMATCH")
STEP_OPEN = ("FAILED_PRECONDITION", "STEP_OPEN")
POOL_FULL = ("RESOURCE_EXHAUSTED", "POOL_FULL")
REPEATED = ("ABORTED", "RANGE_REPEATED")
TOO_EARLY = ("FAILED_PRECONDITION", "FIELD_INVALID")
HUGE = 1 << 15  # tokens of a sequence that is allowed, but not in this pool


def _entry(name: str, field: str, *how: str, **fields: Any) -> Case:
    return Case(name, "BeginStep", lambda w: w.begin(**fields), f"entries[0].{field}", *how)


def _begin(name: str, entries: Any, field: str, *how: str) -> Case:
    return Case(
        name, "BeginStep", lambda w: step_pb2.BeginStepRequest(entries=entries(w)), field, *how
    )


BEGIN = [
    _begin("no entries", lambda w: [], "entries"),
    _begin("nine entries of eight", lambda w: [w.entry()] * 9, "entries"),
    _begin("a sequence twice", lambda w: [w.entry(), w.entry()], "entries[1].sequence_id"),
    _begin("two models", lambda w: [w.entry(), w.entry(sequence_id=w.lonely)],
           "entries[1].sequence_id"),
    _entry("base_length -1", "base_length", base_length=-1),
    _entry("base_length beyond all", "base_length", base_length=MOST),
    _entry("base_length ahead", "base_length", *MISMATCH, base_length=LENGTH + 1),
    _entry("base_length behind", "base_length", *MISMATCH, base_length=LENGTH - 1),
    _entry("a rollback ahead", "base_length", *MISMATCH, base_length=LENGTH + 1, rollback=True),
    _entry("no tokens", "token_count", token_count=0),
    _entry("-1 tokens", "token_count", token_count=-1),
    _entry("2^62 tokens", "token_count", token_count=1 << 62),
    _entry("a sum of 2^63", "token_count", base_length=LENGTH, token_count=MOST),
    _entry("one token over the limit", "token_count", token_count=(1 << 16) - LENGTH + 1),
    _entry("two ids for one token", "token_ids", token_ids=[1, 2]),
    _entry("a negative id", "token_ids[0]", token_ids=[-1]),
    _entry("no phase", "phase", phase=step_pb2.PHASE_UNSPECIFIED),
    _entry("an unknown phase", "phase", phase=9),
    _entry("prefill_end of a decode", "prefill_end", prefill_end=True),
    _entry("an empty extra key", "extra_keys[0].key", extra_keys=[sequence_pb2.ExtraKey()]),
    Case("below the floor", "BeginStep",
         lambda w: w.begin(sequence_id=w.floored, base_length=1, rollback=True),
         "entries[0].base_length", "FAILED_PRECONDITION", "BELOW_FLOOR"),
    Case("a step on a step", "BeginStep",
         lambda w: w.begin(sequence_id=w.busy, base_length=0), "entries[0].sequence_id",
         *STEP_OPEN),
    _begin("the second is in a step", lambda w: [w.entry(), w.entry(sequence_id=w.busy,
           base_length=0)], "entries[1].sequence_id", *STEP_OPEN),
    _begin("the second's length is wrong",
           lambda w: [w.entry(base_length=2, rollback=True),
                      w.entry(sequence_id=w.floored, base_length=1)],
           "entries[1].base_length", *MISMATCH),
    _begin("more than the pool", lambda w: [w.entry(token_count=HUGE)], "entries", *POOL_FULL),
    _begin("more than the pool after a rollback",
           lambda w: [w.entry(base_length=1, rollback=True, token_count=HUGE)], "entries",
           *POOL_FULL),
    Case("leave_out, and nobody left", "BeginStep",
         lambda w: w.begin(token_count=HUGE, request={"leave_out": True}), "entries", *POOL_FULL),
    Case("an end that is no abort", "EndStep",
         lambda w: step_pb2.EndStepRequest(step_id=w.step), "abort", "INVALID_ARGUMENT",
         "NOT_IN_VERSION"),
]  # fmt: skip


def _append(name: str, layers: Any, field: str, *how: str, first_token: int = 2) -> Case:
    return Case(name, "Append", lambda w: w.append(layers, first_token), field, *how)


def _own(name: str, field: str, *how: str, layers: Any = None, first: int = 0, **entry: Any) -> Case:
    """An append that brings its own step."""

    def request(w: Any) -> step_pb2.AppendRequest:
        rows = layers if layers is not None else [layer(0, 1), layer(2, 1)]
        return step_pb2.AppendRequest(entry=w.entry(**entry), layers=rows, first_token=first)

    return Case(name, "Append", request, field, *how)


APPEND = [
    Case("append to nothing", "Append",
         lambda w: step_pb2.AppendRequest(layers=[layer(0, 1)]), "step_id"),
    _append("no layers", [], "layers"),
    _append("layer -1", [layer(-1, 1)], "layers[0].layer"),
    _append("layer 3 of 3", [layer(0, 1), layer(3, 1)], "layers[1].layer"),
    _append("layer 2^31 - 1", [layer((1 << 31) - 1, 1)], "layers[0].layer"),
    _append("a layer that reads another's", [layer(1, 1)], "layers[0].layer"),
    _append("a layer twice", [layer(0, 1), layer(0, 1)], "layers[1].layer"),
    _append("no k", [step_pb2.AppendLayer(v=values(1))], "layers[0].k"),
    _append("tokens again", [layer(0, 1)], "first_token", *REPEATED, first_token=1),
    _append("all tokens again", [layer(0, 3)], "first_token", *REPEATED, first_token=0),
    _append("a gap", [layer(2, 1)], "first_token"),
    _append("beyond the step", [layer(0, 2)], "first_token"),
    _append("far beyond the step", [layer(0, 1)], "first_token", first_token=MOST),
    _append("first_token -1", [layer(2, 1)], "first_token", first_token=-1),
    _append("a good and a repeated layer", [layer(2, 2), layer(0, 2)], "first_token",
            *REPEATED, first_token=0),
    _own("an own step from token 1", "first_token", first=1),
    _own("an own step without layer 2", "layers", layers=[layer(0, 1)]),
    _own("an own step of other rows", "layers[0].k.shape", token_count=2),
    _own("an own step ahead", "entry.base_length", *MISMATCH, base_length=LENGTH + 1),
    _own("an own step of 2^62 tokens", "entry.token_count", token_count=1 << 62),
    _own("an own step without a phase", "entry.phase", phase=step_pb2.PHASE_UNSPECIFIED),
    Case("an own step on a step", "Append", lambda w: w.own_step(w.busy, 0, 1),
         "entry.sequence_id", *STEP_OPEN),
]  # fmt: skip


def _attend(name: str, field: str, *how: str, **fields: Any) -> Case:
    return Case(name, "Attend", lambda w: w.attend(**fields), field, *how)


def _read(name: str, field: str, rows: Any, *how: str, **fields: Any) -> Case:
    return Case(name, "Attend", lambda w: w.read(*rows(w), **fields), field, *how)


ATTEND = [
    Case("attend to nothing", "Attend", lambda w: step_pb2.AttendRequest(q=queries(1)), "step_id"),
    Case("attend in an append_only step", "Attend", lambda w: w.attend(step_id=w.append_step),
         "step_id", *TOO_EARLY),
    _attend("layer -1", "layer", layer=-1),
    _attend("layer 3 of 3", "layer", layer=3),
    _attend("keys for another's layer", "k", layer=1),
    _attend("tokens again", "first_token", *REPEATED, rows=2, first_token=0),
    _attend("a gap", "first_token", layer=2),
    _attend("beyond the step", "first_token", rows=2),
    _attend("first_token 2^63 - 1", "first_token", first_token=MOST),
    _attend("first_token -1", "first_token", first_token=-1),
    _attend("keys that have not come", "k", *TOO_EARLY, k=None, v=None),
    _attend("another's keys that have not come", "k", *TOO_EARLY, layer=1, rows=3, first_token=0,
            k=None, v=None),
    _read("no sequences", "sequences.sequences", lambda w: []),
    _read("nine of eight", "sequences.sequences", lambda w: [(w.idle, 1)] * 9),
    _read("a sequence twice", "sequences.sequences[1].sequence_id",
          lambda w: [(w.idle, 1), (w.idle, 1)]),
    _read("two models", "sequences.sequences[1].sequence_id",
          lambda w: [(w.idle, 1), (w.lonely, 1)]),
    _read("0 rows", "sequences.sequences[0].row_count", lambda w: [(w.idle, 0)]),
    _read("-1 rows", "sequences.sequences[0].row_count", lambda w: [(w.idle, -1)]),
    _read("2^62 rows", "sequences.sequences[0].row_count", lambda w: [(w.idle, 1 << 62)]),
    _read("more rows than tokens", "sequences.sequences[0].row_count",
          lambda w: [(w.idle, LENGTH + 1)]),
    _read("rows of an empty sequence", "sequences.sequences[0].row_count",
          lambda w: [(w.spare[0], 1)]),
    _read("fewer rows than named", "q.shape", lambda w: [(w.idle, 3)], q=queries(2)),
    _read("read with keys", "k", lambda w: [(w.idle, 1)], k=values(1), v=values(1)),
    _read("read with values", "v", lambda w: [(w.idle, 1)], v=values(1)),
    _read("read from token 1", "first_token", lambda w: [(w.idle, 1)], first_token=1),
    _read("read layer 3 of 3", "layer", lambda w: [(w.idle, 1)], layer=3),
    _read("read while a step is open", "sequences.sequences[0].sequence_id",
          lambda w: [(w.busy, 1)], *STEP_OPEN),
]  # fmt: skip

CASES = BEGIN + APPEND + ATTEND
