# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The geometry of a model, as registered once with the daemon."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from sluice._generated import types_pb2
from sluice.tensors import to_wire_dtype


class Pairing(Enum):
    """Which two dimensions RoPE turns together."""

    HALF_SPLIT = types_pb2.RopeTable.PAIRING_HALF_SPLIT  # j with j + rotary_dim / 2
    INTERLEAVED = types_pb2.RopeTable.PAIRING_INTERLEAVED  # 2j with 2j + 1


@dataclass(frozen=True)
class RopeTable:
    """RoPE as the engine computed it: `inv_freq` is the angle per position of each pair."""

    inv_freq: Sequence[float]  # [rotary_dim / 2]
    rotary_dim: int
    pairing: Pairing = Pairing.HALF_SPLIT
    attention_factor: float | None = None

    def to_wire(self) -> types_pb2.RopeTable:
        return types_pb2.RopeTable(
            inv_freq=[float(value) for value in self.inv_freq],
            rotary_dim=self.rotary_dim,
            pairing=self.pairing.value,
            attention_factor=self.attention_factor,
        )


@dataclass(frozen=True)
class LayerSpec:
    """One layer. `source_layer`: the layer whose cache it reads; None: its own.

    `rope_table_index`: index into `ModelSpec.rope_tables`; None: the layer has none.
    """

    kv_heads: int
    window_tokens: int = 0
    source_layer: int | None = None
    rope_table_index: int | None = None
    sink_logits: Sequence[float] = ()  # [q_heads] or empty

    def to_wire(self) -> types_pb2.LayerGeometry:
        return types_pb2.LayerGeometry(
            kv_head_count=self.kv_heads,
            window_tokens=self.window_tokens,
            source_layer=self.source_layer,
            rope_table_index=self.rope_table_index,
            sink_logits=self.sink_logits,
        )


@dataclass(frozen=True)
class ModelSpec:
    """All that the daemon has to know of a model: shapes, not weights.

    `dtype` is what keys and values are stored in; calls may bring float32, bfloat16 or float16.
    `name` names the weights: models of one geometry with other weights need another name.
    """

    name: str
    q_heads: int
    k_dim: int
    v_dim: int
    layers: Sequence[LayerSpec]
    dtype: Any = field(default=np.float32)
    scale: float | None = None  # None: 1 / sqrt(k_dim)
    logit_soft_cap: float | None = None
    page_size_tokens: int = 32
    keys_rotated: bool = True
    rope_tables: Sequence[RopeTable] = ()

    @classmethod
    def uniform(
        cls, name: str, *, layers: int, q_heads: int, kv_heads: int, head_dim: int, **more: Any
    ) -> "ModelSpec":
        """A model whose layers are all alike; `more` are further fields of ModelSpec."""
        tables = more.get("rope_tables", ())
        layer = LayerSpec(kv_heads=kv_heads, rope_table_index=0 if tables else None)
        return cls(
            name=name,
            q_heads=q_heads,
            k_dim=head_dim,
            v_dim=head_dim,
            layers=[layer] * layers,
            **more,
        )

    def to_wire(self) -> types_pb2.ModelGeometry:
        """Raises ValueError for a dtype that the wire does not have."""
        geometry = types_pb2.ModelGeometry
        return geometry(
            name=self.name,
            query_head_count=self.q_heads,
            k_dim=self.k_dim,
            v_dim=self.v_dim,
            dtype=to_wire_dtype(self.dtype, "dtype"),
            scale=self.scale,
            logit_soft_cap=self.logit_soft_cap,
            page_size_tokens=self.page_size_tokens,
            key_space=(
                geometry.KEY_SPACE_ROTATED if self.keys_rotated else geometry.KEY_SPACE_UNROTATED
            ),
            layers=[layer.to_wire() for layer in self.layers],
            rope_tables=[table.to_wire() for table in self.rope_tables],
        )
