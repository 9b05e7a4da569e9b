# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A step: one forward pass of an engine over a set of sequences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING

from sluice import errors
from sluice._generated import step_pb2
from sluice.connection import Transport
from sluice.results import AttendResult
from sluice.tensors import Array, check_array, fill_tensor, token_ranges

if TYPE_CHECKING:
    from sluice.sequence import KvSequence


class Phase(Enum):
    """Whether an entry reads a prompt or generates."""

    PREFILL = step_pb2.PHASE_PREFILL
    DECODE = step_pb2.PHASE_DECODE


@dataclass(frozen=True)
class StepEntry:
    """The part of a step that belongs to one sequence.

    Give `token_ids`, or `token_count` alone: then the sequence stops contributing to the prefix
    index. `base_length` None: the length that the client knows. A smaller one drops the tokens
    beyond it and needs `rollback`.
    """

    sequence: "KvSequence"
    token_ids: Sequence[int] = ()
    token_count: int | None = None
    phase: Phase = Phase.DECODE
    prefill_end: bool = False
    base_length: int | None = None
    rollback: bool = False

    @property
    def tokens(self) -> int:
        return len(self.token_ids) if self.token_count is None else self.token_count

    def fill(self, wire: step_pb2.StepEntry) -> None:
        known = self.sequence.length
        wire.sequence_id = self.sequence.id
        wire.base_length = known if self.base_length is None else self.base_length
        wire.token_count = self.tokens
        wire.token_ids.extend(self.token_ids)
        wire.phase = self.phase.value
        wire.prefill_end = self.prefill_end
        wire.rollback = self.rollback


@dataclass(frozen=True)
class LeftOut:
    """An entry that a step begun with `leave_out` has not, and why (such as "POOL_FULL")."""

    entry: StepEntry
    reason: str


@dataclass(frozen=True)
class LayerRows:
    """Keys `[rows, kv_heads, k_dim]` and values `[rows, kv_heads, v_dim]` of one layer.

    `observation_queries`: the last queries of each entry, `[their sum, q_heads, k_dim]`, for
    policies with an observation window. Raises TypeError for what is no numpy array.
    """

    layer: int
    k: Array
    v: Array
    observation_queries: Array | None = None

    def __post_init__(self) -> None:
        check_array(self.k, "k")
        check_array(self.v, "v")
        if self.observation_queries is not None:
            check_array(self.observation_queries, "observation_queries")

    @property
    def tensor_bytes(self) -> int:
        observed = self.observation_queries
        return self.k.nbytes + self.v.nbytes + (0 if observed is None else observed.nbytes)

    def fill(self, wire: step_pb2.AppendLayer) -> None:
        wire.layer = self.layer
        fill_tensor(wire.k, self.k, "k")
        fill_tensor(wire.v, self.v, "v")
        if self.observation_queries is not None:
            fill_tensor(wire.observation_queries, self.observation_queries, "observation_queries")

    def pieces(self, limit_bytes: int) -> Iterator[tuple[int, "LayerRows"]]:
        """The rows cut by tokens, each piece with its first token; the last has the queries."""
        rows_bytes = self.k.nbytes + self.v.nbytes
        rows_limit = limit_bytes - (self.tensor_bytes - rows_bytes)
        for first, end in token_ranges([self.k, self.v], rows_limit):
            observed = self.observation_queries if end == len(self.k) else None
            yield first, LayerRows(self.layer, self.k[first:end], self.v[first:end], observed)


class Step:
    """An open step; it closes by itself with the call that completes its last layer.

    Made by `begin_step` of Client or Session. Not thread-safe. As a context manager it aborts
    what was not completed. Its calls raise SluiceError, ValueError for arrays that the wire
    cannot carry, and TypeError for what is no numpy array; tensors that are too large for one
    message go in several.
    """

    def __init__(
        self,
        transport: Transport,
        entries: Sequence[StepEntry],
        answer: step_pb2.BeginStepResponse,
    ) -> None:
        reasons = {one.entry_index: errors.reason_name(one.reason) for one in answer.left_out}
        self.id: int = answer.step_id
        self.entries = [entry for index, entry in enumerate(entries) if index not in reasons]
        self.left_out = [LeftOut(entries[index], reason) for index, reason in reasons.items()]
        self.total_tokens = sum(entry.tokens for entry in self.entries)
        self.free_bytes: int = answer.room.free_bytes
        self.block_bytes: int = answer.room.block_bytes
        self.closed = False
        self._transport = transport
        for entry, state in zip(self.entries, answer.entries, strict=True):
            entry.sequence.note_begun(state.length, state.rollback_floor)

    def attend(
        self,
        layer: int,
        q: Array,
        k: Array | None = None,
        v: Array | None = None,
        *,
        want_lse: bool = False,
    ) -> AttendResult:
        """Stores k and v of the layer's tokens, if given, and attends with q.

        q `[total_tokens, q_heads, k_dim]`, k `[total_tokens, kv_heads, k_dim]`, v
        `[total_tokens, kv_heads, v_dim]`: float32, bfloat16 (of ml_dtypes) or float16.
        """
        arrays = {"q": q, "k": k, "v": v}
        given = {name: array for name, array in arrays.items() if array is not None}
        for name, array in given.items():
            check_array(array, name)
        limit = self._transport.inline_tensor_bytes()
        pieces = []
        for first, end in token_ranges(list(given.values()), limit):
            request = step_pb2.AttendRequest(
                step_id=self.id, layer=layer, first_token=first, want_lse=want_lse
            )
            for name, array in given.items():
                fill_tensor(getattr(request, name), array[first:end], name)
            pieces.append(self._transport.call("Attend", request))
        self._note_closed(pieces[-1].step_closed)
        return AttendResult.from_wire(pieces)

    def append(self, layers: Sequence[int], k: Sequence[Array], v: Sequence[Array]) -> None:
        """Stores keys and values of layers without attending: `k[i]` and `v[i]` are of
        `layers[i]`, in the shapes that `attend` takes."""
        rows = zip(layers, k, v, strict=True)
        self.append_rows([LayerRows(layer, keys, values) for layer, keys, values in rows])

    def append_rows(self, layers: Sequence[LayerRows]) -> None:
        """As `append`, with the queries that policies with an observation window need."""
        limit = self._transport.inline_tensor_bytes()
        if sum(rows.tensor_bytes for rows in layers) <= limit:
            self._append(0, layers)
            return
        for rows in layers:
            for first, piece in rows.pieces(limit):
                self._append(first, [piece])

    def abort(self) -> None:
        """Undoes the step; NotFound when it has closed already."""
        abort_step(self._transport, self.id)
        self.closed = True

    def __enter__(self) -> "Step":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        try:
            self.abort()
        except errors.SluiceError:
            if error is None:
                raise

    def _append(self, first_token: int, layers: Sequence[LayerRows]) -> None:
        request = step_pb2.AppendRequest(step_id=self.id, first_token=first_token)
        for rows in layers:
            rows.fill(request.layers.add())
        self._note_closed(self._transport.call("Append", request).step_closed)

    def _note_closed(self, closed: bool) -> None:
        if closed and not self.closed:
            self.closed = True
            for entry in self.entries:
                entry.sequence.note_added(entry.tokens)


def abort_step(transport: Transport, step_id: int) -> None:
    transport.call("EndStep", step_pb2.EndStepRequest(step_id=step_id, abort=True))
