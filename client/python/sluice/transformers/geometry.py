# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the daemon has to know of a Hugging Face model, read from its config and its modules."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from sluice.model_spec import LayerSpec, ModelSpec, RopeTable
from sluice.tensors import BF16, FP16, FP32

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")

_DTYPES: dict[torch.dtype, "np.dtype[Any]"] = {
    torch.float32: FP32,
    torch.bfloat16: BF16,
    torch.float16: FP16,
}

# Scaling schemes whose frequencies change with the text, so that no one table tells them.
_ROPE_WITHOUT_TABLE = ("dynamic", "longrope")


def model_spec(model: PreTrainedModel, page_size_tokens: int) -> ModelSpec:
    """The model's geometry; keys and values are stored in the model's dtype.

    Raises ValueError for a family that is not one of FAMILIES, for attention that is not causal,
    and for a dtype that the wire does not have.
    """
    config = model.config
    if config.model_type not in FAMILIES:
        raise ValueError(f"model: of type {config.model_type!r}; must be one of {list(FAMILIES)}")
    if not getattr(config, "is_causal", True):
        raise ValueError("model: its attention is not causal")
    if model.dtype not in _DTYPES:
        raise ValueError(f"model: of {model.dtype}; must be of {[str(dtype) for dtype in _DTYPES]}")
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    tables = rope_tables(model)
    spec = ModelSpec(
        name=config.name_or_path or config.model_type,
        q_heads=config.num_attention_heads,
        k_dim=head_dim,
        v_dim=head_dim,
        layers=[
            LayerSpec(
                kv_heads=config.num_key_value_heads,
                window_tokens=window,
                rope_table_index=0 if tables else None,
            )
            for window in windows(config)
        ],
        dtype=_DTYPES[model.dtype],
        scale=head_dim**-0.5,
        page_size_tokens=page_size_tokens,
        rope_tables=tables,
    )
    # The daemon wants one geometry a name, and a path may come to hold another model.
    geometry = spec.to_wire().SerializeToString(deterministic=True)
    return replace(spec, name=f"{spec.name} {hashlib.sha256(geometry).hexdigest()[:12]}")


def windows(config: Any) -> list[int]:
    """The sliding window of each layer in tokens, 0 where it has none."""
    window = getattr(config, "sliding_window", None) or 0
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return [window] * config.num_hidden_layers
    unknown = set(kinds) - {"full_attention", "sliding_attention"}
    if unknown:
        raise ValueError(f"model: layers of type {sorted(unknown)}; must be full or sliding")
    return [window if kind == "sliding_attention" else 0 for kind in kinds]


def rope_tables(model: PreTrainedModel) -> tuple[RopeTable, ...]:
    """The one table of the model; none where its angles depend on the length of the text."""
    rotary: Any = model.base_model.rotary_emb
    if rotary.rope_type in _ROPE_WITHOUT_TABLE:
        return ()
    inv_freq = rotary.inv_freq.float().tolist()
    factor = float(rotary.attention_scaling)
    return (RopeTable(inv_freq, 2 * len(inv_freq), attention_factor=factor),)
