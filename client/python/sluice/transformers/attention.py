# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The attention and mask functions that are registered with the library under one name.

The mask function does not know which cache a forward pass has, so it builds no mask: it hands the
padding on, with what the library's own function needs should the attention turn out to be ours
not at all.
"""

from typing import Any, Protocol

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sluice"


class AttendingCache(Protocol):
    """A cache that attends by itself over all that it was given."""

    def attend(
        self,
        layer: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        padding: torch.Tensor | None,
    ) -> torch.Tensor:
        """The attention of q `[batch, q_heads, tokens, k_dim]` over the cached tokens and over
        k and v `[batch, kv_heads, tokens, dim]`, as `[batch, tokens, q_heads, v_dim]`. `padding`
        `[batch, columns]`: False where a token is padding; None: nowhere."""

    def check_call(self, layer: int, scaling: float | None, options: dict[str, Any]) -> None:
        """Raises ValueError for an attention that is not as it was registered."""


def mark(k: torch.Tensor, cache: AttendingCache) -> torch.Tensor:
    """Makes the attention that gets these keys the cache's."""
    marked = k.view(k.shape)  # a new object: the caller's tensor stays as it is
    marked.sluice_cache = cache  # type: ignore[attr-defined]
    return marked


def mask(attention_mask: torch.Tensor | None = None, **arguments: Any) -> torch.Tensor:
    """The 2D padding mask, or a substitute, that carries all arguments."""
    if attention_mask is None:
        carrier = torch.ones(arguments["batch_size"], arguments["kv_length"], dtype=torch.bool)
    else:
        carrier = attention_mask.view(attention_mask.shape)
    carrier.sluice_arguments = {  # type: ignore[attr-defined]
        "attention_mask": attention_mask,
        **arguments,
    }
    return carrier


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attends in the daemon where the keys come from a SluiceCache, else as "sdpa" does."""
    arguments = getattr(attention_mask, "sluice_arguments", None)
    if attention_mask is not None and attention_mask.ndim == 2 and arguments is None:
        raise ValueError("attention_mask: was moved or copied between the mask and the attention")
    cache: AttendingCache | None = getattr(key, "sluice_cache", None)
    if cache is None:
        made = attention_mask if arguments is None else sdpa_mask(**arguments)
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, made, scaling=scaling, dropout=dropout, **options
        )
        return found
    if attention_mask is not None and arguments is None:
        shape = list(attention_mask.shape)
        raise ValueError(f"attention_mask: of shape {shape}; a SluiceCache takes [batch, tokens]")
    if dropout:
        raise ValueError(
            f"attention_dropout: {dropout}; must be 0 with a SluiceCache: model.eval()"
        )
    layer: int = module.layer_idx  # type: ignore[assignment]
    cache.check_call(layer, scaling, options)
    padding = arguments["attention_mask"] if arguments else None
    return cache.attend(layer, query, key, value, padding), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, mask)
