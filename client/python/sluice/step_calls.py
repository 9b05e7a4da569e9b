# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The calls that go the same way over a session stream and unary."""

from collections.abc import Sequence

from sluice._generated import step_pb2
from sluice.connection import Transport
from sluice.results import AttendResult
from sluice.sequence import KvSequence
from sluice.step import LayerRows, Step, StepEntry, abort_step
from sluice.tensors import Array, fill_tensor


class StepCalls:
    """What Client and Session have in common. Every call raises SluiceError."""

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    def begin_step(
        self,
        entries: Sequence[StepEntry],
        *,
        append_only: bool = False,
        leave_out: bool = False,
        max_wait_s: float = 0,
    ) -> Step:
        """Opens a step over sequences of one model, with memory for every layer.

        append_only: this client attends itself. leave_out: begin without the entries that would
        have to wait; `Step.left_out` names them. max_wait_s: how long to wait for memory and for
        open steps. StepOpen's `details["open_step_id"]` can be given to `abort_step`.
        """
        request = step_pb2.BeginStepRequest(append_only=append_only, leave_out=leave_out)
        request.max_wait.FromNanoseconds(round(max_wait_s * 1e9))
        for entry in entries:
            entry.fill(request.entries.add())
        answer = self._transport.call("BeginStep", request, self._timeout_s + max_wait_s)
        return Step(self._transport, entries, answer)

    def abort_step(self, step_id: int) -> None:
        """Undoes an open step whose answer was lost."""
        abort_step(self._transport, step_id)

    def append(self, entry: StepEntry, layers: Sequence[LayerRows]) -> None:
        """A step of its own: adds the entry's tokens with the rows of every layer that has its
        own cache. All in one message: larger ones need `begin_step` with `append_only`."""
        request = step_pb2.AppendRequest()
        entry.fill(request.entry)
        for rows in layers:
            rows.fill(request.layers.add())
        answer = self._transport.call("Append", request)
        entry.sequence.note_begun(answer.entry.length, answer.entry.rollback_floor)
        entry.sequence.note_added(entry.tokens)

    def attend(
        self,
        sequences: Sequence[tuple[KvSequence, int]],
        layer: int,
        q: Array,
        *,
        want_lse: bool = False,
    ) -> AttendResult:
        """Attends without a step: the rows of q `[rows, q_heads, k_dim]`, so many of each
        sequence, stand at its last positions. Nothing is stored, scored or triggered."""
        request = step_pb2.AttendRequest(layer=layer, want_lse=want_lse)
        for sequence, rows in sequences:
            request.sequences.sequences.add(sequence_id=sequence.id, row_count=rows)
        fill_tensor(request.q, q, "q")
        return AttendResult.from_wire([self._transport.call("Attend", request)])
