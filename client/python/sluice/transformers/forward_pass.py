# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A forward pass under way: its step, and how the batch's tensors become the step's."""

import torch

from sluice.errors import NotFound
from sluice.step import Step
from sluice.tensors import Array
from sluice.transformers.rows import Forward
from sluice.transformers.tensors import to_array, to_tensor


class ForwardPass:
    """The layers of one pass, in order. `step` None: the pass has padding only."""

    def __init__(self, forward: Forward, step: Step | None, device: torch.device) -> None:
        self.forward = forward
        self._step = step
        self._next_layer = 0
        self._sent: torch.Tensor | None = None  # None: all, in order
        if not forward.is_dense:
            tokens, answers = forward.answered()
            self._sent = torch.from_numpy(forward.sent()).to(device)
            self._tokens = torch.from_numpy(tokens).to(device)
            self._answers = torch.from_numpy(answers).to(device)

    @property
    def finished_layers(self) -> int:
        return self._next_layer

    def attend(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """q `[rows, q_heads, columns, k_dim]`, k and v alike; returns `[rows, columns, q_heads,
        v_dim]`, 0 where a token is padding. Raises ValueError for a layer out of turn, and
        SluiceError."""
        if layer != self._next_layer:
            raise ValueError(f"layer {layer}: layer {self._next_layer} is next")
        rows, heads, columns, _ = q.shape
        if self._step is None:
            out = q.new_zeros(rows, columns, heads, v.shape[-1])
        else:
            answer = self._step.attend(layer, self._pack(q), self._pack(k), self._pack(v))
            out = self._unpack(answer.out, q)
        self._next_layer += 1
        return out

    def abort(self) -> None:
        """Undoes the step unless it is complete."""
        if self._step is None or self._step.closed:
            return
        try:
            self._step.abort()
        except NotFound:
            self._step.closed = True  # undone already, by its time limit

    def _pack(self, heads: torch.Tensor) -> Array:
        flat = heads.transpose(1, 2).flatten(0, 1)
        return to_array(flat if self._sent is None else flat[self._sent])

    def _unpack(self, out: Array, like: torch.Tensor) -> torch.Tensor:
        rows, heads, columns, _ = like.shape
        answer = to_tensor(out, like.device)
        if self._sent is not None:
            spread = like.new_zeros(rows * columns, heads, out.shape[-1])
            spread[self._tokens] = answer[self._answers]
            answer = spread
        return answer.view(rows, columns, heads, -1)
