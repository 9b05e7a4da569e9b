# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Greedy generation: prefill in chunks, then one token at a time."""

from collections.abc import Iterator, Sequence

import numpy as np

from example.model import Attention, Model
from example.weights import Float32Array


def prefill(
    model: Model, attention: Attention, prompt: Sequence[int], chunk_tokens: int | None = None
) -> Float32Array:
    """Runs the prompt in chunks of at most `chunk_tokens` (None: all at once).

    Returns the logits `[vocabulary]` after its last token. Raises ValueError when the prompt is
    empty or the chunk not positive.
    """
    if not prompt:
        raise ValueError("prompt: empty; must have at least one token")
    size = len(prompt) if chunk_tokens is None else chunk_tokens
    if size < 1:
        raise ValueError(f"chunk_tokens: {size}; must be positive")
    logits = np.empty(0, np.float32)
    for first in range(0, len(prompt), size):
        last = first + size >= len(prompt)
        chunk = prompt[first : first + size]
        logits = model.step(chunk, attention, prefill=True, prefill_end=last)
    return logits


def generate(
    model: Model,
    attention: Attention,
    prompt: Sequence[int],
    token_count: int,
    chunk_tokens: int | None = None,
) -> Iterator[int]:
    """Yields `token_count` greedy tokens as they are found."""
    logits = prefill(model, attention, prompt, chunk_tokens)
    for produced in range(1, token_count + 1):
        token = int(np.argmax(logits))
        yield token
        if produced < token_count:
            logits = model.step([token], attention)
