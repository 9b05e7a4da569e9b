# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Sequences in step get what each would get alone, and what is the same is computed once."""

from collections.abc import Sequence

import numpy as np
import pytest
from example.in_process import InProcessAttention
from example.model import Model
from example.weights import Float32Array, load_weights
from lockstep import LockstepModel, all_equal
from script import Script, cut, foretell

PROMPT = tuple(b"What is read twice is read a second time for nothing, and so on. " * 3)
SCRIPT = Script(PROMPT, cut(b"It goes on from here.", 8), (range(len(PROMPT) + 1, 210),))


class CountingModel(Model):
    """Counts the rows that go through its layers."""

    rows = 0

    def heads(
        self, number: int, x: Float32Array, first: int
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        self.rows += x.shape[-2] if x.ndim == 2 else x.shape[0] * x.shape[1]
        return super().heads(number, x, first)


class LouderAttention(InProcessAttention):
    """Attention whose answers are multiplied from one position on."""

    def __init__(self, model: Model, factor: float, first: int) -> None:
        super().__init__(model.config)
        self._factor = np.float32(factor)
        self._first = first

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        louder = self.length >= self._first
        out = super().attend(layer, q, k, v)
        return out * self._factor if louder else out


class Together:
    """Attentions in this process as LockstepAttention."""

    def __init__(self, attentions: Sequence[InProcessAttention]) -> None:
        self._attentions = attentions

    @property
    def length(self) -> int:
        return self._attentions[0].length

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        assert prefill == prefill_end == (self.length == 0)

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        count = len(self._attentions)
        given = [np.broadcast_to(one, (count, *one.shape[1:])) for one in (q, k, v)]
        pairs = zip(self._attentions, zip(*given, strict=True), strict=True)
        return all_equal(np.stack([one.attend(layer, *rows) for one, rows in pairs]))


@pytest.fixture(scope="module")
def model() -> CountingModel:
    return CountingModel(load_weights())


def louder(model: Model, *changes: tuple[float, int]) -> list[InProcessAttention]:
    return [LouderAttention(model, factor, first) for factor, first in changes]


def assert_each_as_alone(found: Float32Array, model: Model, *changes: tuple[float, int]) -> None:
    assert len(found) == len(changes)
    for logits, alone in zip(found, louder(model, *changes), strict=True):
        np.testing.assert_allclose(logits, foretell(model, alone, SCRIPT), rtol=0, atol=1e-4)


def test_sequences_that_never_part_are_computed_once(model: CountingModel) -> None:
    model.rows = 0
    attention = Together(louder(model, (1, 0), (1, 0), (1, 0)))
    found = LockstepModel(model).foretell(attention, SCRIPT)
    assert model.rows == SCRIPT.length * model.config.layers
    assert_each_as_alone(found, model, (1, 0))


@pytest.mark.parametrize("first", [0, len(PROMPT), len(PROMPT) + 8])
def test_sequences_that_part_get_what_each_gets_alone(model: Model, first: int) -> None:
    changes = ((1, 0), (0.5, first), (0.9, first))
    found = LockstepModel(model).foretell(Together(louder(model, *changes)), SCRIPT)
    assert_each_as_alone(found, model, *changes)


def test_a_prompt_that_was_read_before_is_not_computed_again(model: CountingModel) -> None:
    lockstep = LockstepModel(model)
    lockstep.foretell(Together(louder(model, (1, 0))), SCRIPT)
    model.rows = 0
    changes = ((0.5, len(PROMPT)), (0.5, len(PROMPT)))
    found = lockstep.foretell(Together(louder(model, *changes)), SCRIPT)
    assert model.rows == (SCRIPT.length - len(PROMPT)) * model.config.layers
    assert_each_as_alone(found, model, changes[0])


def test_what_was_remembered_is_not_given_to_other_answers(model: Model) -> None:
    lockstep = LockstepModel(model)
    lockstep.foretell(Together(louder(model, (1, 0))), SCRIPT)
    changes = ((0.5, 0), (1, 0))
    found = lockstep.foretell(Together(louder(model, *changes)), SCRIPT)
    assert_each_as_alone(found, model, *changes)
    again = lockstep.foretell(Together(louder(model, (0.7, 0))), SCRIPT)
    assert_each_as_alone(again, model, (0.7, 0))


def test_a_script_that_is_too_long_is_refused_before_a_step(model: Model) -> None:
    long = Script((1,) * 4, ((1,) * 2045,), (range(5, 9),))
    attention = Together(louder(model, (1, 0)))
    with pytest.raises(ValueError, match="2045 tokens from position 4"):
        LockstepModel(model).foretell(attention, long)
    assert attention.length == 4
