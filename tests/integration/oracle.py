# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Attention in numpy, over everything that a sequence was given."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sluice
from numpy.typing import NDArray

Array = NDArray[Any]

LAYERS, QUERY_HEADS, KV_HEADS, HEAD_DIM = 2, 4, 2, 64
TOLERANCE = 2e-5  # of the largest |value|: 1e-5 by contract, and numpy's own in fp32


def spec(name: str = "tiny", **other: Any) -> sluice.ModelSpec:
    sizes = {"layers": LAYERS, "q_heads": QUERY_HEADS, "kv_heads": KV_HEADS, "head_dim": HEAD_DIM}
    return sluice.ModelSpec.uniform(**{"name": name, **sizes, **other})


def attend(q: Array, k: Array, v: Array, weightless: Array | None = None) -> tuple[Array, Array]:
    """Causal attention of the last rows; (out, lse). `weightless [tokens, kv_heads]`: no weight."""
    group = q.shape[1] // k.shape[1]
    wide_k, wide_v = (np.repeat(rows.astype(np.float64), group, axis=1) for rows in (k, v))
    logits = np.einsum("thd,shd->ths", q.astype(np.float64), wide_k) / np.sqrt(q.shape[2])
    first = len(k) - len(q)
    later = np.arange(len(k))[None, :] > first + np.arange(len(q))[:, None]
    logits[np.broadcast_to(later[:, None, :], logits.shape)] = -np.inf
    if weightless is not None:
        logits += np.where(np.repeat(weightless, group, axis=1).T, -np.inf, 0.0)[None]
    with np.errstate(divide="ignore"):
        most = np.maximum(logits.max(axis=2, keepdims=True), -1e300)
        weights = np.exp(logits - most)
        total = weights.sum(axis=2)
        lse = np.log(total) + most[..., 0]
    out = np.einsum("ths,shd->thd", weights / np.maximum(total, 1e-300)[..., None], wide_v)
    return out, np.where(total > 0, lse, -np.inf)


def random_rows(tokens: int, generator: np.random.Generator) -> tuple[Array, Array, Array]:
    heads = (QUERY_HEADS, KV_HEADS, KV_HEADS)
    made = [generator.standard_normal((tokens, n, HEAD_DIM)).astype(np.float32) for n in heads]
    return made[0], made[1], made[2]


@dataclass
class CheckedSequence:
    """A sequence under `full`, with its own copy of all keys and values."""

    sequence: sluice.KvSequence
    generator: np.random.Generator
    keys: list[Array] = field(default_factory=list)  # [layer]
    values: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        empty = np.zeros((0, KV_HEADS, HEAD_DIM), np.float32)
        self.keys, self.values = [empty] * LAYERS, [empty] * LAYERS

    def step(self, calls: sluice.Client | sluice.Session, tokens: int) -> None:
        """One step of random tokens over all layers, its outputs checked."""
        opened = calls.begin_step([sluice.StepEntry(self.sequence, token_count=tokens)])
        for layer in range(LAYERS):
            self.attend(opened, layer, tokens)
        assert opened.closed

    def attend(self, step: sluice.Step, layer: int, tokens: int) -> None:
        q, k, v = random_rows(tokens, self.generator)
        self.keys[layer] = np.concatenate([self.keys[layer], k])
        self.values[layer] = np.concatenate([self.values[layer], v])
        found = step.attend(layer, q, k, v).out
        expected, _ = attend(q, self.keys[layer], self.values[layer])
        worst = float(np.abs(found - expected).max())
        assert worst <= TOLERANCE * np.abs(self.values[layer]).max(), f"off by {worst}"
