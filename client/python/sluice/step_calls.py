# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The calls that go the same way over a session stream and unary."""

from collections.abc import Sequence

from sluice._generated import step_pb2
from sluice.connection import Transport
from sluice.errors import InvalidArgument
from sluice.results import AttendResult
from sluice.sequence import KvSequence
from sluice.step import LayerRows, Step, StepEntry, abort_step
from sluice.tensors import Array, check_array, fill_tensor, sequence_parts


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
        transport = self._transport.for_step()
        answer = transport.call("BeginStep", request, self._timeout_s + max_wait_s)
        return Step(transport, entries, answer)

    def abort_step(self, step_id: int) -> None:
        """Undoes an open step whose answer was lost."""
        abort_step(self._transport, step_id)

    def append(self, entry: StepEntry, layers: Sequence[LayerRows]) -> None:
        """A step of its own: adds the entry's tokens with the rows of every layer that has its
        own cache. What is too large for one message is a step opened, filled and, on an error,
        aborted here."""
        if sum(rows.tensor_bytes for rows in layers) > self._transport.inline_tensor_bytes():
            self._append_in_parts(entry, layers)
            return
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
        sequence, stand at its last positions. Nothing is stored, scored or triggered. What is too
        large for one message goes in several, by sequences; raises ValueError where it has to and
        the sequences do not have q's rows."""
        check_array(q, "q")
        pieces = []
        limit = self._transport.inline_tensor_bytes()
        for part, rows in sequence_parts([rows for _, rows in sequences], q, limit):
            request = step_pb2.AttendRequest(layer=layer, want_lse=want_lse)
            for sequence, row_count in sequences[part]:
                request.sequences.sequences.add(sequence_id=sequence.id, row_count=row_count)
            fill_tensor(request.q, q[rows], "q")
            pieces.append(self._transport.call("Attend", request))
        return AttendResult.from_wire(pieces)

    def _append_in_parts(self, entry: StepEntry, layers: Sequence[LayerRows]) -> None:
        with self.begin_step([entry], append_only=True) as step:
            step.append_rows(layers)
            closed = step.closed
        if not closed:
            message = "layers: must have every layer of the model that has its own cache"
            raise InvalidArgument(
                message, code="INVALID_ARGUMENT", reason="FIELD_INVALID", field="layers"
            )
