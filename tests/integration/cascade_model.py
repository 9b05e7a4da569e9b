# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The Cascading KV cache in numpy, one token after the other, from un-rotated tensors."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from oracle import Array

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """What a cascade keeps. `periods`: one for each ring, the newest first."""

    sinks: int
    ring_slots: int
    stride: int
    periods: Sequence[int] = (1,)
    eager: bool = True
    decay: float = 1.0
    reduce: str = "max"


@dataclass
class Entry:
    """A token in a ring."""

    position: int
    score: float


@dataclass
class HeadCache:
    """What one head cache holds, and how close its closest fight was."""

    rule: Rule
    sinks: list[int] = field(default_factory=list)
    rings: list[list[Entry]] = field(default_factory=list)  # each oldest first
    seen: int = 0
    fights: int = 0
    closest: float = np.inf  # difference of two scores that fought, relative to the larger

    def __post_init__(self) -> None:
        self.rings = [[] for _ in self.rule.periods]

    def scored(self) -> list[Entry]:
        """The rings in the order of the cache."""
        return [entry for ring in reversed(self.rings) for entry in ring]

    def positions(self) -> list[int]:
        return self.sinks + [entry.position for entry in self.scored()]

    def insert(self, score: float) -> None:
        current = Entry(self.seen, score)
        self.seen += 1
        if len(self.sinks) < self.rule.sinks:
            self.sinks.append(current.position)
            return
        x = self.seen - 1 - self.rule.sinks
        total = self.rule.ring_slots * len(self.rings)
        for ring, period in zip(self.rings, self.rule.periods, strict=True):
            if not (self.rule.eager and x <= total) and x % period != 0 and ring:
                self._fight(ring, current)
                return
            ring.append(current)
            if len(ring) <= self.rule.ring_slots:
                return
            current = ring.pop(0)

    def _fight(self, ring: list[Entry], challenger: Entry) -> None:
        holder = ring[-1].score
        self.fights += 1
        larger = max(abs(holder), abs(challenger.score))
        self.closest = min(self.closest, abs(holder - challenger.score) / max(larger, 1e-300))
        if challenger.score >= holder:
            ring[-1] = challenger


def rotate(rows: Array, positions: Sequence[int], inv_freq: Array) -> Doubles:
    """Turns rows `[rows, heads, dim]`: dim j with j + len(inv_freq)."""
    half = len(inv_freq)
    steps = np.asarray(positions, np.float32)[:, None, None]
    angles = (steps * inv_freq.astype(np.float32)).astype(np.float64)
    turned = rows.astype(np.float64)
    first, second = turned[..., :half].copy(), turned[..., half : 2 * half].copy()
    turned[..., :half] = first * np.cos(angles) - second * np.sin(angles)
    turned[..., half : 2 * half] = second * np.cos(angles) + first * np.sin(angles)
    return turned


REDUCTIONS = {
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
    "median": lambda rows: np.sort(rows, axis=0)[(len(rows) - 1) // 2],
}


class LayerCascade:
    """One layer: attends chunk after chunk of its un-rotated tensors."""

    def __init__(self, rule: Rule, kv_heads: int, inv_freq: Array) -> None:
        self._rule = rule
        self._inv_freq = inv_freq
        self._keys: list[Array] = []  # of every token that came: [kv_heads, dim]
        self._values: list[Array] = []
        self.heads = [HeadCache(rule) for _ in range(kv_heads)]

    def chunk(self, q: Array, k: Array, v: Array) -> Doubles:
        """Rotate, attend, score, insert. Returns the chunk's outputs."""
        first = len(self._keys)
        self._keys.extend(k)
        self._values.extend(v)
        group = q.shape[1] // k.shape[1]
        outs = []
        for number, head in enumerate(self.heads):
            tokens = head.positions() + list(range(first, first + len(k)))
            p = self._weights(number, tokens, q[:, number * group : (number + 1) * group])
            values = np.stack([self._values[token][number] for token in tokens])
            outs.append(np.einsum("ghs,sd->hgd", p, values.astype(np.float64)))
            self._score_and_insert(head, p[:, :, len(head.sinks) :])
        return np.concatenate(outs, axis=1)

    def _weights(self, head: int, tokens: list[int], q: Array) -> Doubles:
        """[group, rows, tokens]: a token's position is its place in the cache."""
        keys = np.stack([self._keys[token][head] for token in tokens])[:, None]
        keys = rotate(keys, range(len(tokens)), self._inv_freq)[:, 0]
        cached = len(tokens) - len(q)
        queries = rotate(q, range(cached, len(tokens)), self._inv_freq)
        logits = np.einsum("hgd,sd->ghs", queries, keys) / np.sqrt(q.shape[2])
        logits[:, np.triu(np.ones((len(q), len(tokens)), bool), cached + 1)] = -np.inf
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        return np.asarray(weights / weights.sum(axis=2, keepdims=True))

    def _score_and_insert(self, head: HeadCache, p: Doubles) -> None:
        rows = p.shape[1]
        fading = self._rule.decay ** np.arange(rows - 1, -1, -1.0)
        mass = REDUCTIONS[self._rule.reduce](np.einsum("r,grs->gs", fading, p))
        for entry, got in zip(head.scored(), mass, strict=False):
            entry.score = entry.score * self._rule.decay**rows + got
        for got in mass[-rows:]:
            head.insert(float(got))


class CascadeModel:
    """All layers of a sequence: `[layer]` (queries, keys, values), un-rotated, and what is due."""

    def __init__(self, rule: Rule, layers: int, kv_heads: int, inv_freq: Array) -> None:
        self._rule = rule
        self.layers = [LayerCascade(rule, kv_heads, inv_freq) for _ in range(layers)]

    def prefill(self, layers: Sequence[tuple[Array, Array, Array]]) -> list[Doubles]:
        """A whole prompt from length 0 on, the outputs of each layer."""
        stride = self._rule.stride
        return [
            np.concatenate(
                [
                    layer.chunk(q[at : at + stride], k[at : at + stride], v[at : at + stride])
                    for at in range(0, len(q), stride)
                ]
            )
            for layer, (q, k, v) in zip(self.layers, layers, strict=True)
        ]

    def decode(self, layers: Sequence[tuple[Array, Array, Array]]) -> list[Doubles]:
        """The next token."""
        return [layer.chunk(*rows) for layer, rows in zip(self.layers, layers, strict=True)]

    def kept(self) -> list[list[list[int]]]:
        """[layer][kv head]: true positions in the order of the cache."""
        return [[head.positions() for head in layer.heads] for layer in self.layers]

    def closest_fight(self) -> float:
        return min(head.closest for layer in self.layers for head in layer.heads)

    def fights(self) -> int:
        return sum(head.fights for layer in self.layers for head in layer.heads)

    def copy(self) -> "CascadeModel":
        return copy.deepcopy(self)
