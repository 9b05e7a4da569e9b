# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Several sequences that read the same tokens, each under a policy of its own, in one pass.

What is the same for all of them is computed once: until their attention first differs, which for
a prompt that no policy touches is never.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from example.model import Model
from example.weights import Float32Array
from script import Script

# A pass of at least so many tokens is worth remembering for the next group of sequences.
_REMEMBERED_TOKENS = 128


class LockstepAttention(Protocol):
    """Attention and KV caches of sequences of equal length; as example.model.Attention else."""

    @property
    def length(self) -> int:
        """Tokens of finished steps, of each sequence."""

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        """Announces the tokens that the next calls of `attend` bring, the same to all."""

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        """`[sequences, tokens, heads, head_dim]` each, and the answer in q's shape; `[1, ..]` in
        both directions where it is the same for all sequences."""


def all_equal(rows: Float32Array) -> Float32Array:
    """`[1, ..]` of what is the same in every row, bit for bit; else the rows."""
    return rows[:1] if all(np.array_equal(row, rows[0]) for row in rows[1:]) else rows


class LockstepModel:
    """A model that reads a script for several sequences at once.

    It remembers its last long pass: another group of sequences that reads the same tokens and gets
    the same answers, bit for bit, is spared the arithmetic. Not thread-safe.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._remembered = _LongPass((), 0)

    def foretell(self, attention: LockstepAttention, script: Script) -> Float32Array:
        """The logits after every token of the steps, `[sequences or 1, tokens, vocabulary]`."""
        self._pass(script.prompt, attention, prefill=True)
        found = [self._pass(step, attention, prefill=False) for step in script.steps]
        copies = max(len(logits) for logits in found)
        full = [np.broadcast_to(logits, (copies, *logits.shape[1:])) for logits in found]
        return np.concatenate(full, axis=1)

    def _pass(
        self, token_ids: Sequence[int], attention: LockstepAttention, *, prefill: bool
    ) -> Float32Array:
        model, first = self._model, attention.length
        model.check_positions(first, len(token_ids))
        memory = self._memory_of(tuple(token_ids), first)
        attention.begin_step(token_ids, prefill=prefill, prefill_end=prefill)
        x = memory.embedded if memory.embedded is not None else model.embed(token_ids)[None]
        memory.embedded = x
        for number in range(model.config.layers):
            q, k, v = memory.heads(model, number, x)
            x = memory.leave(model, number, x, attention.attend(number, q, k, v))
        # Nobody asks for what follows the prompt's own tokens.
        return model.logits(x[:, -1:] if prefill else x)

    def _memory_of(self, token_ids: tuple[int, ...], first: int) -> "_LongPass":
        known = self._remembered
        if (known.token_ids, known.first) == (token_ids, first):
            return known
        made = _LongPass(token_ids, first)
        if len(token_ids) >= _REMEMBERED_TOKENS:
            self._remembered = made
        return made


class _LongPass:
    """What each layer of a pass was given and made of it. A layer's input is known by being the
    very array that was remembered, so that what follows from another one never passes for it."""

    def __init__(self, token_ids: tuple[int, ...], first: int) -> None:
        self.token_ids = token_ids
        self.first = first
        self.embedded: Float32Array | None = None
        self._heads: dict[int, tuple[Float32Array, tuple[Float32Array, ...]]] = {}
        self._left: dict[int, tuple[Float32Array, Float32Array, Float32Array]] = {}

    def heads(self, model: Model, number: int, x: Float32Array) -> tuple[Float32Array, ...]:
        known = self._heads.get(number)
        if known is not None and known[0] is x:
            return known[1]
        made = model.heads(number, x, self.first)
        self._heads.setdefault(number, (x, made))
        return made

    def leave(
        self, model: Model, number: int, x: Float32Array, attended: Float32Array
    ) -> Float32Array:
        known = self._left.get(number)
        if known is not None and known[0] is x and np.array_equal(known[1], attended):
            return known[2]
        copies = max(len(x), len(attended))
        both = (np.broadcast_to(one, (copies, *one.shape[1:])) for one in (x, attended))
        made = model.leave(number, *map(np.ascontiguousarray, both))
        self._left.setdefault(number, (x, attended, made))
        return made
