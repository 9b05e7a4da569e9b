# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Ordinary attention inside the engine's process: what the daemon is compared with."""

from collections.abc import Sequence

import numpy as np

from example.weights import Config, Float32Array

_MASKED = np.float32(-np.inf)


class InProcessAttention:
    """A dense fp32 KV cache of one sequence and softmax attention over it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        shape = (config.layers, config.kv_heads, config.max_positions, config.head_dim)
        self._keys = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32)
        self._length = 0

    @property
    def length(self) -> int:
        return self._length

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        """Nothing to prepare: nothing is ever dropped and the cache has its full size."""

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        config = self._config
        tokens = q.shape[0]
        end = self._length + tokens
        keys, values = self._keys[layer], self._values[layer]
        keys[:, self._length : end] = k.transpose(1, 0, 2)
        values[:, self._length : end] = v.transpose(1, 0, 2)

        group = config.q_heads // config.kv_heads
        queries = q.reshape(tokens, config.kv_heads, group, config.head_dim)
        rows = queries.transpose(1, 2, 0, 3).reshape(config.kv_heads, group * tokens, -1)
        scores = rows @ keys[:, :end].transpose(0, 2, 1) * np.float32(config.scale)
        if tokens > 1:
            by_query = scores.reshape(config.kv_heads, group, tokens, end)
            by_query[..., self._length :] += np.triu(np.full((tokens, tokens), _MASKED), 1)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        out = scores @ values[:, :end]

        if layer == config.layers - 1:
            self._length = end
        out = out.reshape(config.kv_heads, group, tokens, config.head_dim)
        return np.ascontiguousarray(out.transpose(2, 0, 1, 3)).reshape(q.shape)
