# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Loads a Hugging Face Llama folder (config.json, model.safetensors) as fp32 arrays."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes  # noqa: F401 - registers bfloat16 with numpy, which safetensors needs
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Float32Array = NDArray[np.float32]

MODEL_DIR = Path(__file__).parent / "model"


@dataclass(frozen=True)
class Config:
    """The geometry of the model."""

    layers: int
    q_heads: int
    kv_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    max_positions: int
    first_token: int

    @property
    def scale(self) -> float:
        return 1 / math.sqrt(self.head_dim)


@dataclass(frozen=True)
class Layer:
    """The weights of one layer, each matrix as [inputs, outputs] and row-major."""

    attention_norm: Float32Array  # [width]
    qkv: Float32Array  # [width, (q_heads + 2 * kv_heads) * head_dim]
    attention_out: Float32Array  # [q_heads * head_dim, width]
    mlp_norm: Float32Array  # [width]
    gate_up: Float32Array  # [width, 2 * inner_width]
    down: Float32Array  # [inner_width, width]


@dataclass(frozen=True)
class Weights:
    config: Config
    embedding: Float32Array  # [vocabulary, width], also the output matrix
    unembedding: Float32Array  # [width, vocabulary], the same numbers transposed
    final_norm: Float32Array  # [width]
    layers: tuple[Layer, ...]


def load_config(folder: Path = MODEL_DIR) -> Config:
    values = json.loads((folder / "config.json").read_text())
    return Config(
        layers=values["num_hidden_layers"],
        q_heads=values["num_attention_heads"],
        kv_heads=values["num_key_value_heads"],
        head_dim=values["head_dim"],
        rms_norm_eps=values["rms_norm_eps"],
        rope_theta=values["rope_theta"],
        max_positions=values["max_position_embeddings"],
        first_token=values["bos_token_id"],
    )


def load_weights(folder: Path = MODEL_DIR) -> Weights:
    tensors = load_file(folder / "model.safetensors")
    config = load_config(folder)

    def vector(name: str) -> Float32Array:
        return tensors[f"model.{name}.weight"].astype(np.float32)

    def matrix(*names: str) -> Float32Array:
        return np.ascontiguousarray(np.concatenate([vector(name) for name in names]).T)

    def layer(number: int) -> Layer:
        at = f"layers.{number}."
        return Layer(
            attention_norm=vector(at + "input_layernorm"),
            qkv=matrix(*(f"{at}self_attn.{part}_proj" for part in "qkv")),
            attention_out=matrix(at + "self_attn.o_proj"),
            mlp_norm=vector(at + "post_attention_layernorm"),
            gate_up=matrix(at + "mlp.gate_proj", at + "mlp.up_proj"),
            down=matrix(at + "mlp.down_proj"),
        )

    return Weights(
        config=config,
        embedding=vector("embed_tokens"),
        unembedding=matrix("embed_tokens"),
        final_norm=vector("norm"),
        layers=tuple(layer(number) for number in range(config.layers)),
    )
