# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A hook of torch's own before a model's forward pass: refuses what no SluiceCache can do, and
tells the cache the token ids, from which it sees which rows are equal."""

import weakref
from typing import Any, Protocol

import numpy as np
import torch

from sluice.tensors import Array

_watched: "weakref.WeakSet[torch.nn.Module]" = weakref.WeakSet()


class NotedCache(Protocol):
    """A cache that wants to know the inputs of a pass."""

    def note_inputs(self, contents: Array | None) -> None:
        """`contents [rows, ..]`: equal where rows are given the same; None: unknown."""


def watch(module: torch.nn.Module) -> None:
    """Hooks the decoder, once however often this is called."""
    if module not in _watched:
        _watched.add(module)
        module.register_forward_pre_hook(_before_forward, with_kwargs=True)


def _before_forward(module: torch.nn.Module, _: Any, inputs: dict[str, Any]) -> None:
    cache = inputs.get("past_key_values")
    if cache is None or not hasattr(cache, "note_inputs"):
        return
    if inputs.get("use_cache") is False:
        raise ValueError("use_cache: False; a SluiceCache as past_key_values needs it")
    if inputs.get("output_attentions") or module.config.output_attentions:  # type: ignore[union-attr]
        raise ValueError('output_attentions: not with a SluiceCache; use the attention "eager"')
    if module.training and any(
        getattr(part, "gradient_checkpointing", False) for part in module.modules()
    ):
        raise ValueError("gradient checkpointing: not with a SluiceCache; call model.eval()")
    cache.note_inputs(_contents(inputs))


def _contents(inputs: dict[str, Any]) -> Array | None:
    """Token ids and positions by row; None where they are not given as such."""
    token_ids = inputs.get("input_ids")
    if token_ids is None:
        return None
    found = token_ids.cpu().numpy()
    positions = inputs.get("position_ids")
    if positions is not None and positions.shape == token_ids.shape:
        found = np.concatenate([found, positions.cpu().numpy()], axis=1)
    return np.ascontiguousarray(found)
