# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What calls answer with, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sluice._generated import kv_cache_pb2, policy_pb2, sequence_pb2, step_pb2
from sluice.policy import ResolvedPolicy
from sluice.tensors import Array, from_tensor, from_wire_dtype


@dataclass(frozen=True)
class LayerUsage:
    """What a sequence holds in one layer, by kv head; shared pages are counted whole."""

    layer: int
    kept_tokens: tuple[int, ...]  # [kv_heads]
    held_bytes: tuple[int, ...]  # [kv_heads]


@dataclass(frozen=True)
class LayerKept:
    """What is kept of one layer, by kv head."""

    layer: int
    kept_tokens: tuple[int, ...]  # [kv_heads]


@dataclass(frozen=True)
class LayerLoss:
    """What a job evicted from the head caches of a layer."""

    layer: int
    evicted_slots: int
    evicted_mass_share: float | None


@dataclass(frozen=True)
class JobReport:
    """What a job of the policy did. `trigger` and `outcome` are names such as "COMMITTED".

    `evicted_mass_share` is the share of the policy's scores that the evicted slots had, and None
    where it does not score by attention; `layers` is empty unless something was evicted.
    """

    preset: str
    trigger: str
    outcome: str
    snapshot_tokens: int
    kept_slots: int
    evicted_slots: int
    freed_bytes: int
    duration_s: float
    evicted_mass_share: float | None
    freed_later_bytes: int  # once others that share the pages let go of them
    detail: str  # why it was skipped or cancelled; empty: it was neither
    layers: tuple[LayerLoss, ...] = ()

    @classmethod
    def from_wire(cls, wire: policy_pb2.JobReport) -> "JobReport":
        return cls(
            preset=wire.preset,
            trigger=_name(policy_pb2.Trigger, wire.trigger, "TRIGGER_"),
            outcome=_name(policy_pb2.JobReport.Outcome, wire.outcome, "OUTCOME_"),
            snapshot_tokens=wire.snapshot_tokens,
            kept_slots=wire.kept_slot_count,
            evicted_slots=wire.evicted_slot_count,
            freed_bytes=wire.freed_bytes,
            duration_s=wire.duration.ToNanoseconds() / 1e9,
            evicted_mass_share=_mass_share(wire),
            freed_later_bytes=wire.freed_later_bytes,
            detail=wire.detail,
            layers=tuple(
                LayerLoss(layer.layer, layer.evicted_slot_count, _mass_share(layer))
                for layer in wire.layers
            ),
        )


@dataclass(frozen=True)
class SequenceInfo:
    """The state of a sequence. `held_bytes` counts shared pages whole, `bytes_alone` is what
    would come back if it went now. `evictions` are the last jobs that evicted, oldest first and
    without their layers; only `Client.inspect` asks for them."""

    length: int
    rollback_floor: int
    layers: tuple[LayerUsage, ...]
    held_bytes: int
    bytes_alone: int
    policy: ResolvedPolicy
    last_job: JobReport | None
    open_step_id: int | None
    lost: bool
    evictions: tuple[JobReport, ...] = ()

    @classmethod
    def from_wire(
        cls,
        wire: sequence_pb2.GetSequenceResponse,
        evictions: Sequence[policy_pb2.JobReport] = (),
    ) -> "SequenceInfo":
        return cls(
            length=wire.length,
            rollback_floor=wire.rollback_floor,
            layers=tuple(
                LayerUsage(layer.layer, tuple(layer.kept_tokens), tuple(layer.held_bytes))
                for layer in wire.layers
            ),
            held_bytes=wire.held_bytes,
            bytes_alone=wire.bytes_alone,
            policy=ResolvedPolicy.from_wire(wire.policy),
            last_job=JobReport.from_wire(wire.last_job) if wire.HasField("last_job") else None,
            open_step_id=wire.open_step_id or None,
            lost=wire.lost,
            evictions=tuple(JobReport.from_wire(eviction) for eviction in evictions),
        )

    @property
    def kept_tokens(self) -> int:
        """Tokens kept, over all layers and kv heads."""
        return sum(sum(layer.kept_tokens) for layer in self.layers)


@dataclass(frozen=True)
class CompressResult:
    """What `compress` kept and freed, or with a dry run would."""

    layers: tuple[LayerKept, ...]
    freed_now_bytes: int
    freed_later_bytes: int
    job: JobReport

    @classmethod
    def from_wire(cls, wire: sequence_pb2.CompressResponse) -> "CompressResult":
        return cls(
            layers=tuple(LayerKept(layer.layer, tuple(layer.kept_tokens)) for layer in wire.layers),
            freed_now_bytes=wire.freed_now_bytes,
            freed_later_bytes=wire.freed_later_bytes,
            job=JobReport.from_wire(wire.job),
        )


@dataclass(frozen=True)
class Explanation:
    """The positions that one head cache keeps, ascending, the first `body_tokens` in its body.

    `scores` has one value a position, higher staying longer; empty where the policy has none
    between its jobs.
    """

    kept_positions: tuple[int, ...]
    body_tokens: int
    scores: tuple[float, ...]
    length: int

    @classmethod
    def from_wire(cls, wire: sequence_pb2.ExplainSequenceResponse) -> "Explanation":
        return cls(
            kept_positions=tuple(wire.kept_positions),
            body_tokens=wire.body_token_count,
            scores=tuple(wire.scores),
            length=wire.length,
        )


@dataclass(frozen=True)
class AttendResult:
    """`out [rows, q_heads, v_dim]` in q's dtype; `lse [rows, q_heads]` fp32 if it was asked for.

    Both are read-only. Rows that were not finite are counted by head; a key or value of such a
    row weighs nothing, such a query is answered with 0.
    """

    out: Array
    lse: Array | None
    non_finite_query_rows: int
    non_finite_key_value_rows: int

    @classmethod
    def from_wire(cls, pieces: Sequence[step_pb2.AttendResponse]) -> "AttendResult":
        """Joins the answers of a call that was cut by tokens."""
        has_lse = pieces[0].HasField("lse")
        return cls(
            out=_join([from_tensor(piece.out) for piece in pieces]),
            lse=_join([from_tensor(piece.lse) for piece in pieces]) if has_lse else None,
            non_finite_query_rows=sum(piece.non_finite.query_row_count for piece in pieces),
            non_finite_key_value_rows=sum(piece.non_finite.key_value_row_count for piece in pieces),
        )


def _join(pieces: list[Array]) -> Array:
    if len(pieces) == 1:
        return pieces[0]
    joined: Array = np.concatenate(pieces)
    joined.setflags(write=False)
    return joined


@dataclass(frozen=True)
class Limits:
    """What no request may exceed."""

    message_bytes: int
    inline_tensor_bytes: int
    step_entries: int
    sequence_tokens: int
    models: int
    sequences: int
    sessions: int


@dataclass(frozen=True)
class Capabilities:
    """What the daemon can do. `dtypes` are numpy dtypes, `presets` the policies it knows."""

    version: str
    epoch: int
    backend: str
    arithmetic: str
    page_layout: str
    page_sizes_tokens: tuple[int, ...]
    head_dims: tuple[int, ...]
    max_group_size: int
    dtypes: tuple["np.dtype[Any]", ...]
    presets: tuple[ResolvedPolicy, ...]
    limits: Limits
    pool_bytes: int
    default_lease_s: float
    step_time_limit_s: float

    @classmethod
    def from_wire(cls, wire: kv_cache_pb2.GetCapabilitiesResponse) -> "Capabilities":
        limits = {field.name: getattr(wire.limits, field.name) for field in fields(Limits)}
        return cls(
            version=wire.version,
            epoch=wire.epoch,
            backend=wire.backend,
            arithmetic=wire.arithmetic,
            page_layout=wire.page_layout,
            page_sizes_tokens=tuple(wire.page_sizes_tokens),
            head_dims=tuple(wire.head_dims),
            max_group_size=wire.max_group_size,
            dtypes=tuple(from_wire_dtype(dtype) for dtype in wire.dtypes),
            presets=tuple(ResolvedPolicy.from_wire(preset) for preset in wire.presets),
            limits=Limits(**limits),
            pool_bytes=wire.pool_bytes,
            default_lease_s=wire.default_lease.ToNanoseconds() / 1e9,
            step_time_limit_s=wire.step_time_limit.ToNanoseconds() / 1e9,
        )


def _mass_share(wire: policy_pb2.JobReport | policy_pb2.JobReport.LayerLoss) -> float | None:
    return wire.evicted_mass_share if wire.HasField("evicted_mass_share") else None


def _name(kind: Any, value: int, prefix: str) -> str:
    """An enum value's name, or its number where a newer daemon knows more than this client."""
    return str(kind.Name(value)).removeprefix(prefix) if value in kind.values() else str(value)
