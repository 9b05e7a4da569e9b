# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a model reads and what it must foretell: one sample of a task, whatever the policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from example.generate import prefill
from example.model import Attention, Model
from example.weights import Float32Array
from numpy.typing import NDArray


@dataclass(frozen=True)
class Script:
    """A prompt, then tokens that are given whatever the model foretold.

    prompt: read as one prefill; policies that act at its end act before the first step.
    steps: one decode step each.
    scored: groups of tokens to foretell, as indices into prompt and steps together. Every one is
        foretold by a token of the steps, thus over what the policy has left of the prompt.
    Raises ValueError for a scored token that is not.
    """

    prompt: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    scored: tuple[range, ...]

    def __post_init__(self) -> None:
        for group in self.scored:
            if len(group) == 0 or group[0] <= len(self.prompt) or group[-1] >= self.length:
                allowed = f"({len(self.prompt)}, {self.length})"
                raise ValueError(f"scored: {group}; must lie in {allowed} and not be empty")

    @property
    def length(self) -> int:
        return len(self.prompt) + sum(map(len, self.steps))

    def tokens(self) -> list[int]:
        return [*self.prompt, *(token for step in self.steps for token in step)]


def cut(tokens: Sequence[int], size: int) -> tuple[tuple[int, ...], ...]:
    """The tokens in pieces of `size`, the last one maybe shorter."""
    return tuple(tuple(tokens[at : at + size]) for at in range(0, len(tokens), size))


def foretell(model: Model, attention: Attention, script: Script) -> Float32Array:
    """The logits after every token of the steps, `[tokens of the steps, vocabulary]`."""
    prefill(model, attention, script.prompt)
    return np.concatenate([model.foretell(step, attention) for step in script.steps])


def nats(script: Script, logits: Float32Array) -> float:
    """The mean negative log-likelihood of the scored tokens."""
    losses = [_losses(rows, targets) for rows, targets in _scored(script, logits)]
    return float(np.concatenate(losses).mean())


def right_share(script: Script, logits: Float32Array) -> float:
    """The share of groups of which every token is the likeliest: those that greedy decoding
    would have written, since up to its first error it reads what the script gives."""
    groups = [
        bool((rows.argmax(axis=-1) == targets).all()) for rows, targets in _scored(script, logits)
    ]
    return sum(groups) / len(groups)


def _scored(
    script: Script, logits: Float32Array
) -> Iterator[tuple[Float32Array, NDArray[np.int64]]]:
    """By group: the logits that foretell it, and its tokens."""
    tokens = np.asarray(script.tokens())
    for group in script.scored:
        targets = np.asarray(group)
        yield logits[targets - 1 - len(script.prompt)], tokens[targets]


def _losses(rows: Float32Array, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    shifted = wide - wide.max(axis=-1, keepdims=True)
    of_targets = np.take_along_axis(shifted, targets[:, None], axis=-1)[:, 0]
    losses: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=-1)) - of_targets
    return losses
