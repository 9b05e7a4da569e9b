# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The forward pass of a Llama-architecture model in fp32, with attention left to others."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from example.weights import Config, Float32Array, Layer, Weights


class Attention(Protocol):
    """Attention and KV cache of one sequence, called by the model in this order:

    one `begin_step`, then one `attend` for each layer from 0 up.
    """

    @property
    def length(self) -> int:
        """Tokens of finished steps; the position of the next step's first token."""

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        """Announces the tokens that the next calls of `attend` bring."""

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        """Stores k and v `[tokens, kv_heads, head_dim]` and returns the attention of
        q `[tokens, q_heads, head_dim]` over all stored tokens up to each query's own, in q's
        shape. q and k are already rotated."""


class Model:
    """Stateless apart from its weights; safe to use from several threads."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._cos, self._sin = _rotation(weights.config)

    @property
    def config(self) -> Config:
        return self._weights.config

    def step(
        self,
        token_ids: Sequence[int],
        attention: Attention,
        *,
        prefill: bool = False,
        prefill_end: bool = False,
    ) -> Float32Array:
        """Runs the tokens through all layers.

        Returns the logits `[vocabulary]` after the last token. Raises ValueError when a token
        would stand beyond the model's last position.
        """
        x = self._layers(token_ids, attention, prefill, prefill_end)
        logits: Float32Array = self.logits(x[-1:])[0]
        return logits

    def foretell(self, token_ids: Sequence[int], attention: Attention) -> Float32Array:
        """As `step` for tokens after the prompt, with the logits after each of them:
        `[tokens, vocabulary]`."""
        x = self._layers(token_ids, attention, False, False)
        return self.logits(x)

    # The parts of a pass, for an engine with batches: x `[.., tokens, width]` with any axes before.

    def embed(self, token_ids: Sequence[int]) -> Float32Array:
        """What layer 0 reads, `[tokens, width]`."""
        embedded: Float32Array = self._weights.embedding[np.asarray(token_ids)]
        return embedded

    def heads(
        self, number: int, x: Float32Array, first: int
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """q, k and v of a layer, `[.., tokens, heads, head_dim]`, for tokens at positions `first`
        and up."""
        config = self.config
        layer = self._weights.layers[number]
        heads = _times(self._norm(x, layer.attention_norm), layer.qkv)
        heads = heads.reshape(*x.shape[:-1], -1, config.head_dim)
        rotated = self._rotate(heads[..., : config.q_heads + config.kv_heads, :], first)
        q = rotated[..., : config.q_heads, :]
        k = rotated[..., config.q_heads :, :]
        return q, k, heads[..., config.q_heads + config.kv_heads :, :]

    def leave(self, number: int, x: Float32Array, attended: Float32Array) -> Float32Array:
        """What a layer makes of x and of its attention's answer."""
        layer = self._weights.layers[number]
        x = x + _times(attended.reshape(*x.shape[:-1], -1), layer.attention_out)
        return x + self._mlp(layer, x)

    def logits(self, x: Float32Array) -> Float32Array:
        return _times(self._norm(x, self._weights.final_norm), self._weights.unembedding)

    def check_positions(self, first: int, tokens: int) -> None:
        """Raises ValueError when one would stand beyond the model's last position."""
        if first + tokens > self.config.max_positions:
            raise ValueError(
                f"token_ids: {tokens} tokens from position {first} on; the model has "
                f"{self.config.max_positions} positions"
            )

    def _layers(
        self, token_ids: Sequence[int], attention: Attention, prefill: bool, prefill_end: bool
    ) -> Float32Array:
        """What the last layer leaves, `[tokens, width]`."""
        first = attention.length
        self.check_positions(first, len(token_ids))
        attention.begin_step(token_ids, prefill=prefill, prefill_end=prefill_end)
        x = self.embed(token_ids)
        for number in range(self.config.layers):
            attended = attention.attend(number, *self.heads(number, x, first))
            x = self.leave(number, x, attended)
        return x

    def _rotate(self, heads: Float32Array, first: int) -> Float32Array:
        """Rotates `[.., tokens, heads, head_dim]` to positions `first` and up; dim j pairs with
        j + head_dim / 2."""
        tokens, _, dim = heads.shape[-3:]
        cos = self._cos[first : first + tokens, None]
        sin = self._sin[first : first + tokens, None]
        low, high = heads[..., : dim // 2], heads[..., dim // 2 :]
        rotated = np.empty_like(heads)
        rotated[..., : dim // 2] = low * cos - high * sin
        rotated[..., dim // 2 :] = high * cos + low * sin
        return rotated

    def _mlp(self, layer: Layer, x: Float32Array) -> Float32Array:
        gate, up = np.split(_times(self._norm(x, layer.mlp_norm), layer.gate_up), 2, axis=-1)
        # exp overflows to inf for very negative gates, where the quotient is rightly 0.
        with np.errstate(over="ignore"):
            hidden = gate / (1 + np.exp(-gate)) * up
        return _times(hidden, layer.down)

    def _norm(self, x: Float32Array, weight: Float32Array) -> Float32Array:
        mean_square = np.mean(x * x, axis=-1, keepdims=True)
        scaled: Float32Array = x / np.sqrt(mean_square + np.float32(self.config.rms_norm_eps))
        return scaled * weight


def _times(x: Float32Array, matrix: Float32Array) -> Float32Array:
    """`[.., inputs]` by `[inputs, outputs]`, as one product whatever axes there are before."""
    product: Float32Array = x.reshape(-1, x.shape[-1]) @ matrix
    return product.reshape(*x.shape[:-1], -1)


def _rotation(config: Config) -> tuple[Float32Array, Float32Array]:
    """Cosine and sine of every position and pair, `[max_positions, head_dim / 2]`."""
    angles = np.outer(
        np.arange(config.max_positions, dtype=np.float32), inverse_frequencies(config)
    )
    return np.cos(angles), np.sin(angles)


def inverse_frequencies(config: Config) -> Float32Array:
    """The rotation of each pair of dims from one position to the next, `[head_dim / 2]`."""
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    return np.float32(1) / np.float32(config.rope_theta) ** exponents
