# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Geometries that no model can have."""

import math
from collections.abc import Callable
from typing import Any

from bad_input_world import Case, geometry
from sluice._generated import kv_cache_pb2, types_pb2

Request = kv_cache_pb2.RegisterModelRequest
MISMATCH = ("FAILED_PRECONDITION", "FINGERPRINT_MISMATCH")
HALF_SPLIT = types_pb2.RopeTable.PAIRING_HALF_SPLIT


def _with(field: str, value: Any) -> Case:
    """A geometry with one other value in a field of its own."""

    def request(_: Any) -> Request:
        made = geometry()
        setattr(made, field, value)
        return Request(geometry=made)

    return Case(f"{field} {str(value)[:12]}", "RegisterModel", request, f"geometry.{field}")


def _changed(name: str, field: str, change: Callable[[types_pb2.ModelGeometry], Any]) -> Case:
    def request(_: Any) -> Request:
        made = geometry()
        change(made)
        return Request(geometry=made)

    return Case(name, "RegisterModel", request, f"geometry.{field}")


def _layer(field: str, value: Any, index: int = 2) -> Case:
    path = f"layers[{index}].{field}"
    return _changed(f"{path} {value}", path, lambda g: setattr(g.layers[index], field, value))


def _rope(name: str, field: str, **fields: Any) -> Case:
    good = {"inv_freq": [1.0, 0.5], "rotary_dim": 4, "pairing": HALF_SPLIT}
    table = types_pb2.RopeTable(**{**good, **fields})
    return _changed(
        f"rope: {name}", f"rope_tables[0].{field}", lambda g: g.rope_tables.append(table)
    )


def _add_layers(made: types_pb2.ModelGeometry, count: int) -> None:
    for _ in range(count):
        made.layers.add(kv_head_count=1)


def _huge(_: Any) -> Request:
    made = types_pb2.ModelGeometry(
        name="huge", query_head_count=256, k_dim=256, v_dim=256,
        dtype=types_pb2.DTYPE_FP32, page_size_tokens=64,
    )  # fmt: skip
    for _layer_index in range(256):
        made.layers.add(kv_head_count=256)
    return Request(geometry=made)


CASES = [
    Case("no geometry", "RegisterModel", lambda w: Request(), "geometry"),
    _with("name", ""),
    _with("name", "x" * 257),
    _with("query_head_count", 0),
    _with("query_head_count", -4),
    _with("query_head_count", 1025),
    _with("k_dim", 0),
    _with("k_dim", 65),
    _with("k_dim", 1 << 30),
    _with("v_dim", -64),
    _with("dtype", types_pb2.DTYPE_UNSPECIFIED),
    _with("dtype", 99),
    _with("scale", math.nan),
    _with("scale", math.inf),
    _with("logit_soft_cap", 0.0),
    _with("logit_soft_cap", math.nan),
    _with("page_size_tokens", 48),
    _with("page_size_tokens", -16),
    _with("key_space", 9),
    _changed("no layers", "layers", lambda g: g.ClearField("layers")),
    _changed("1025 layers", "layers", lambda g: _add_layers(g, 1022)),
    _layer("kv_head_count", 0),
    _layer("kv_head_count", -1),
    _layer("kv_head_count", 3),
    _layer("window_tokens", -1),
    _layer("window_tokens", 1 << 62),
    _layer("source_layer", 2),
    _layer("source_layer", -1),
    _layer("source_layer", 3),
    _layer("source_layer", 1),
    _layer("rope_table_index", 0),
    _layer("rope_table_index", -1),
    _changed("source of other heads", "layers[2].source_layer",
             lambda g: (setattr(g.layers[2], "kv_head_count", 1),
                        setattr(g.layers[2], "source_layer", 0))),
    _changed("group of 32", "layers[0].kv_head_count",
             lambda g: (setattr(g, "query_head_count", 64),
                        [setattr(one, "kv_head_count", 2) for one in g.layers])),
    _changed("two sink logits of four", "layers[0].sink_logits",
             lambda g: g.layers[0].sink_logits.extend([0.0, 0.0])),
    _changed("a sink logit of NaN", "layers[0].sink_logits",
             lambda g: g.layers[0].sink_logits.extend([0.0, 0.0, math.nan, 0.0])),
    _changed("nine rope tables", "rope_tables",
             lambda g: [g.rope_tables.add(pairing=HALF_SPLIT) for _ in range(9)]),
    _rope("no pairing", "pairing", pairing=types_pb2.RopeTable.PAIRING_UNSPECIFIED),
    _rope("unknown pairing", "pairing", pairing=7),
    _rope("odd", "rotary_dim", rotary_dim=3),
    _rope("wider than a key", "rotary_dim", rotary_dim=66),
    _rope("negative", "rotary_dim", rotary_dim=-2),
    _rope("one angle of two", "inv_freq", inv_freq=[1.0]),
    _rope("an angle of Inf", "inv_freq", inv_freq=[1.0, math.inf]),
    _rope("factor 0", "attention_factor", attention_factor=0.0),
    _rope("factor NaN", "attention_factor", attention_factor=math.nan),
    Case("a block larger than the pool", "RegisterModel", _huge, "geometry.layers"),
    Case("another fingerprint", "RegisterModel",
         lambda w: Request(geometry=geometry("first"), expected_fingerprint="0" * 32),
         "expected_fingerprint", *MISMATCH),
    Case("a fingerprint of 65 characters", "RegisterModel",
         lambda w: Request(geometry=geometry("first"), expected_fingerprint="0" * 65),
         "expected_fingerprint"),
    Case("a fingerprint beyond ASCII", "RegisterModel",
         lambda w: Request(geometry=geometry("first"), expected_fingerprint="\u00e9"),
         "expected_fingerprint"),
    Case("a known name, another geometry", "RegisterModel",
         lambda w: Request(geometry=_known_but_wider()), "geometry", *MISMATCH),
    Case("one model too many", "RegisterModel", lambda w: Request(geometry=geometry()), "",
         "RESOURCE_EXHAUSTED", "TENANT_QUOTA"),
]  # fmt: skip


def _known_but_wider() -> types_pb2.ModelGeometry:
    made = geometry("first")
    made.v_dim = 96
    return made
