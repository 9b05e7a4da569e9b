# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the cases of bad input find: models, sequences, open steps; and good requests to spoil."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sluice._generated import (
    admin_pb2,
    kv_cache_pb2,
    policy_pb2,
    sequence_pb2,
    step_pb2,
    types_pb2,
)
from sluice.tensors import Array, fill_tensor
from wire import Wire

# Small, so that the cases beyond a limit are small too.
LIMITS = {
    "inline_tensor_bytes": 1 << 20,
    "message_bytes": (1 << 20) + (1 << 16),
    "sequence_tokens": 1 << 16,
    "step_entries": 8,
    "sequences": 8,
    "models": 2,
    "sessions": 2,
}
POOL_BYTES = 32 << 20
NO_SUCH_ID = 0xFFFFFFF0  # to be added to the epoch
QUERY_HEADS, KV_HEADS, K_DIM, V_DIM = 4, 2, 64, 80
LAYERS = 3  # 0: its own cache; 1: reads that of 0; 2: its own, with a window
LENGTH = 5  # of `idle` and `lonely`
STEP_TOKENS = 3  # of each open step


@dataclass(frozen=True)
class Case:
    """A request that must be refused, and how."""

    name: str
    method: str
    request: Callable[["World"], Any]
    field: str
    code: str = "INVALID_ARGUMENT"
    reason: str = "FIELD_INVALID"


def geometry(name: str = "third") -> types_pb2.ModelGeometry:
    made = types_pb2.ModelGeometry(
        name=name,
        query_head_count=QUERY_HEADS,
        k_dim=K_DIM,
        v_dim=V_DIM,
        dtype=types_pb2.DTYPE_FP32,
        page_size_tokens=16,
    )
    made.layers.add(kv_head_count=KV_HEADS)
    made.layers.add(kv_head_count=KV_HEADS, source_layer=0)
    made.layers.add(kv_head_count=KV_HEADS, window_tokens=16)
    return made


def tensor(*shape: int, seed: int = 0) -> types_pb2.Tensor:
    rows = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return wire_tensor(rows)


def wire_tensor(rows: Array) -> types_pb2.Tensor:
    made = types_pb2.Tensor()
    fill_tensor(made, rows, "rows")
    return made


def keys(rows: int) -> types_pb2.Tensor:
    return tensor(rows, KV_HEADS, K_DIM, seed=1)


def values(rows: int) -> types_pb2.Tensor:
    return tensor(rows, KV_HEADS, V_DIM, seed=2)


def queries(rows: int) -> types_pb2.Tensor:
    return tensor(rows, QUERY_HEADS, K_DIM, seed=3)


def layer(index: int, rows: int) -> step_pb2.AppendLayer:
    return step_pb2.AppendLayer(layer=index, k=keys(rows), v=values(rows))


class World:
    """Everything that a case may name; all of it stays as it is while cases are refused."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.epoch = wire.call("GetCapabilities", kv_cache_pb2.GetCapabilitiesRequest()).epoch
        self.unknown = (self.epoch << 32) + NO_SUCH_ID
        self.stale = ((self.epoch ^ 1) << 32) + 1
        self.model = self._register("first")
        self.other_model = self._register("second")
        self.idle = self._filled(self.model)
        self.lonely = self._filled(self.other_model)
        self.floored = self._compressed()
        self.busy, self.step = self._stepping(append_only=False)
        self.appending, self.append_step = self._stepping(append_only=True)
        self.freed = self._create(self.model)
        wire.call("FreeSequences", sequence_pb2.FreeSequencesRequest(sequence_ids=[self.freed]))
        self.sequences = [self.idle, self.lonely, self.floored, self.busy, self.appending]
        self.spare = [self._create(self.model) for _ in range(LIMITS["sequences"] - 5)]
        self._begin_layer()

    def _register(self, name: str) -> int:
        request = kv_cache_pb2.RegisterModelRequest(geometry=geometry(name))
        return int(self.wire.call("RegisterModel", request).model_id)

    def _create(self, model: int, policy: policy_pb2.Policy | None = None) -> int:
        request = sequence_pb2.CreateSequenceRequest(model_id=model, policy=policy)
        return int(self.wire.call("CreateSequence", request).sequence_id)

    def _filled(self, model: int) -> int:
        sequence = self._create(model)
        self.wire.call("Append", self.own_step(sequence, 0, LENGTH))
        return sequence

    def _compressed(self) -> int:
        parameters = policy_pb2.Parameters(budget_tokens=8)
        sequence = self._create(self.model, policy_pb2.Policy(preset="l2norm", parameters=parameters))
        self.wire.call("Append", self.own_step(sequence, 0, 48))
        self.wire.call("Compress", sequence_pb2.CompressRequest(sequence_id=sequence))
        return sequence

    def _stepping(self, append_only: bool) -> tuple[int, int]:
        sequence = self._create(self.model)
        entry = self.entry(sequence_id=sequence, base_length=0, token_count=STEP_TOKENS)
        request = step_pb2.BeginStepRequest(entries=[entry], append_only=append_only)
        return sequence, int(self.wire.call("BeginStep", request).step_id)

    def _begin_layer(self) -> None:
        """Two of the three tokens of layer 0 come in both open steps."""
        self.wire.call("Attend", self.attend(first_token=0, rows=2))
        self.wire.call("Append", self.append([layer(0, 2)], first_token=0))

    def entry(self, **fields: Any) -> step_pb2.StepEntry:
        good = {
            "sequence_id": getattr(self, "idle", 0),
            "base_length": LENGTH,
            "token_count": 1,
            "phase": step_pb2.PHASE_DECODE,
        }
        return step_pb2.StepEntry(**{**good, **fields})

    def begin(self, *, request: Any = None, **fields: Any) -> step_pb2.BeginStepRequest:
        """A step of one entry with these fields; `request`: further fields of the request."""
        return step_pb2.BeginStepRequest(entries=[self.entry(**fields)], **(request or {}))

    def own_step(self, sequence: int, base: int, tokens: int) -> step_pb2.AppendRequest:
        entry = self.entry(sequence_id=sequence, base_length=base, token_count=tokens)
        return step_pb2.AppendRequest(entry=entry, layers=[layer(0, tokens), layer(2, tokens)])

    def append(self, layers: list[Any], first_token: int = 2) -> step_pb2.AppendRequest:
        return step_pb2.AppendRequest(
            step_id=self.append_step, layers=layers, first_token=first_token
        )

    def attend(self, *, rows: int = 1, first_token: int = 2, **fields: Any) -> Any:
        good = {"step_id": self.step, "q": queries(rows), "k": keys(rows), "v": values(rows)}
        return step_pb2.AttendRequest(**{**good, "first_token": first_token, **fields})

    def read(self, *rows: tuple[int, int], **fields: Any) -> step_pb2.AttendRequest:
        """An attend without a step over (sequence, rows) pairs."""
        target = step_pb2.SequenceTarget()
        for sequence, count in rows:
            target.sequences.add(sequence_id=sequence, row_count=count)
        total = sum(count for _, count in rows if 0 < count < 100)
        return step_pb2.AttendRequest(**{"sequences": target, "q": queries(max(total, 1)), **fields})

    def state(self) -> list[Any]:
        """All that a refused call could have changed, as a client sees it."""
        status = self.wire.call("GetStatus", admin_pb2.GetStatusRequest())
        status.ClearField("uptime")
        status.totals.ClearField("refused_call_count")
        status.totals.ClearField("attended_row_count")  # of the reading below
        return [status] + [self._sequence_state(one) for one in self.sequences + self.spare]

    def _sequence_state(self, sequence: int) -> sequence_pb2.GetSequenceResponse:
        request = sequence_pb2.GetSequenceRequest(sequence_id=sequence)
        found = self.wire.call("GetSequence", request)
        found.ClearField("lease_left")
        return found

    def reading(self) -> bytes:
        """What a good call answers."""
        return bytes(self.wire.call("Attend", self.read((self.idle, 2))).out.inline)
