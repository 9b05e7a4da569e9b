# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What is wrong with the calls that make, inspect and list sequences."""

from typing import Any

from bad_input_world import Case
from google.protobuf.duration_pb2 import Duration
from sluice._generated import admin_pb2, sequence_pb2

STEP_OPEN = ("FAILED_PRECONDITION", "STEP_OPEN")
Key = sequence_pb2.ExtraKey


def _create(name: str, field: str, **fields: Any) -> Case:
    return Case(
        name,
        "CreateSequence",
        lambda w: sequence_pb2.CreateSequenceRequest(model_id=w.model, **fields),
        field,
    )


def _wait(name: str, max_wait: Duration) -> list[Case]:
    requests = {
        "ForkSequences": lambda w: sequence_pb2.ForkSequencesRequest(
            parents=[w.idle], max_wait=max_wait
        ),
        "Compress": lambda w: sequence_pb2.CompressRequest(sequence_id=w.idle, max_wait=max_wait),
        "BeginStep": lambda w: w.begin(request={"max_wait": max_wait}),
    }
    return [Case(f"max_wait {name}", method, one, "max_wait") for method, one in requests.items()]


def _explain(name: str, field: str, **fields: int) -> Case:
    return Case(
        name,
        "ExplainSequence",
        lambda w: sequence_pb2.ExplainSequenceRequest(sequence_id=w.idle, **fields),
        field,
    )


CASES = [
    _create("a negative token id", "token_ids[1]", token_ids=[1, -1]),
    _create("too many token ids", "token_ids", token_ids=[1] * ((1 << 16) + 1)),
    _create("an empty extra key", "extra_keys[0].key", extra_keys=[Key()]),
    _create("a long extra key", "extra_keys[0].key", extra_keys=[Key(key=b"x" * 257)]),
    _create("an extra key before the start", "extra_keys[1].first_position",
            extra_keys=[Key(key=b"x"), Key(key=b"x", first_position=-1)]),
    _create("an extra key of a negative size", "extra_keys[0].token_count",
            extra_keys=[Key(key=b"x", token_count=-1)]),
    _create("an extra key without an end", "extra_keys[0].token_count",
            extra_keys=[Key(key=b"x", token_count=(1 << 63) - 1)]),
    _create("draft_tokens -1", "draft_tokens", draft_tokens=-1),
    _create("draft_tokens 1025", "draft_tokens", draft_tokens=1025),
    _create("priority 101", "priority", priority=101),
    _create("priority -101", "priority", priority=-101),
    _create("no lease", "lease", lease=Duration()),
    _create("a negative lease", "lease", lease=Duration(seconds=-60)),
    _create("a lease of 25 h", "lease", lease=Duration(seconds=25 * 3600)),
    _create("a lease without an end", "lease", lease=Duration(seconds=(1 << 63) - 1)),
    _create("a lease of wrong nanos", "lease", lease=Duration(seconds=60, nanos=2_000_000_000)),
    _create("a long request_id", "request_id", request_id="x" * 37),
    _create("a request_id beyond ASCII", "request_id", request_id="\u00e9"),
    Case("one sequence too many", "CreateSequence",
         lambda w: sequence_pb2.CreateSequenceRequest(model_id=w.model), "",
         "RESOURCE_EXHAUSTED", "TENANT_QUOTA"),
    Case("one fork too many", "ForkSequences",
         lambda w: sequence_pb2.ForkSequencesRequest(parents=[w.idle]), "",
         "RESOURCE_EXHAUSTED", "TENANT_QUOTA"),
    Case("no parents", "ForkSequences", lambda w: sequence_pb2.ForkSequencesRequest(), "parents"),
    Case("4097 parents", "ForkSequences",
         lambda w: sequence_pb2.ForkSequencesRequest(parents=[w.idle] * 4097), "parents"),
    Case("nothing to free", "FreeSequences",
         lambda w: sequence_pb2.FreeSequencesRequest(), "sequence_ids"),
    Case("freed twice in one call", "FreeSequences",
         lambda w: sequence_pb2.FreeSequencesRequest(sequence_ids=[w.idle, w.lonely, w.idle]),
         "sequence_ids[2]"),
    Case("4097 to free", "FreeSequences",
         lambda w: sequence_pb2.FreeSequencesRequest(sequence_ids=[w.idle] * 4097),
         "sequence_ids"),
    Case("a negative token to match", "MatchPrefix",
         lambda w: sequence_pb2.MatchPrefixRequest(model_id=w.model, token_ids=[-2]),
         "token_ids[0]"),
    Case("a policy while a step is open", "SetPolicy",
         lambda w: sequence_pb2.SetPolicyRequest(sequence_id=w.busy, policy={"preset": "full"}),
         "sequence_id", *STEP_OPEN),
    Case("compressed while a step is open", "Compress",
         lambda w: sequence_pb2.CompressRequest(sequence_id=w.busy), "sequence_id", *STEP_OPEN),
    _explain("layer -1", "layer", layer=-1),
    _explain("layer 3 of 3", "layer", layer=3),
    _explain("layer 2^31 - 1", "layer", layer=(1 << 31) - 1),
    _explain("a layer that reads another's", "layer", layer=1),
    _explain("kv head -1", "kv_head", kv_head=-1),
    _explain("kv head 2 of 2", "kv_head", kv_head=2),
    *_wait("negative", Duration(seconds=-1)),
    *_wait("of 6 min", Duration(seconds=360)),
    Case("a negative page", "ListSequences",
         lambda w: admin_pb2.ListSequencesRequest(page_size=-1), "page_size"),
    Case("a page of 1001", "ListClients",
         lambda w: admin_pb2.ListClientsRequest(page_size=1001), "page_size"),
    Case("a page token of nobody", "ListSequences",
         lambda w: admin_pb2.ListSequencesRequest(page_token="-1"), "page_token"),
    Case("drained by a tenant", "Drain", lambda w: admin_pb2.DrainRequest(), "",
         "PERMISSION_DENIED", ""),
    Case("reclaimed by a tenant", "Reclaim", lambda w: admin_pb2.ReclaimRequest(), "",
         "PERMISSION_DENIED", ""),
]  # fmt: skip
