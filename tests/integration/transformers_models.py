# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Hugging Face models without network: the project's own, and small random ones."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from example.weights import MODEL_DIR
from transformers import LlamaForCausalLM, PreTrainedModel

torch.set_num_threads(1)

VOCABULARY = 120
WINDOW = 8

# By name: the family, and what differs from a small model of it.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen2_windows": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3", {}),
    "mistral": ("Mistral", {"sliding_window": WINDOW}),
    "mistral_without_window": ("Mistral", {"sliding_window": None}),
}


@dataclass(frozen=True)
class Pair:
    """The same model twice: `daemon` for a SluiceCache, `library` with the library's attention."""

    daemon: PreTrainedModel
    library: PreTrainedModel


def random_pair(name: str, *, dtype: torch.dtype = torch.float32, **more: Any) -> Pair:
    family, options = FAMILIES[name]
    config = getattr(transformers, f"{family}Config")(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        initializer_range=0.3,  # far apart logits
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
        **options,
        **more,
    )
    torch.manual_seed(7)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval().to(dtype)
    return Pair(copy.deepcopy(model), model)


def trained_model(**options: Any) -> PreTrainedModel:
    """The project's model; it was trained on text, one token a byte."""
    return LlamaForCausalLM.from_pretrained(MODEL_DIR, dtype=torch.float32, **options).eval()


def random_tokens(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, VOCABULARY, (rows, columns), generator=generator)


def left_padded(lengths: list[int]) -> dict[str, torch.Tensor]:
    """Inputs of rows of these lengths."""
    columns = max(lengths)
    token_ids = random_tokens(len(lengths), columns)
    mask = torch.tensor([[0] * (columns - length) + [1] * length for length in lengths])
    return {"input_ids": token_ids * mask, "attention_mask": mask}


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference of two logits."""
    return float((found.float() - expected.float()).abs().max())
