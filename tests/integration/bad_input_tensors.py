# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Tensors that are not what they say or should be, in every call that brings some."""

from collections.abc import Callable
from typing import Any

from bad_input_world import K_DIM, KV_HEADS, LIMITS, V_DIM, Case, keys, tensor, values
from sluice._generated import step_pb2, types_pb2

Tensor = types_pb2.Tensor
MOST = (1 << 63) - 1
GOOD = [1, KV_HEADS, K_DIM]
BYTES = KV_HEADS * K_DIM * 4

_NOT_THERE = "INVALID_ARGUMENT", "NOT_IN_VERSION"


def _made(shape: Any, size: int = BYTES, dtype: int = types_pb2.DTYPE_FP32) -> Tensor:
    return Tensor(dtype=dtype, shape=shape, inline=bytes(size))


# What is wrong, where in the tensor, and the tensor that stands for the keys of one token.
_TENSORS: list[tuple[str, str, Tensor]] = [
    ("no dtype", "dtype", _made(GOOD, dtype=0)),
    ("an unknown dtype", "dtype", _made(GOOD, dtype=77)),
    ("bf16 of fp32's size", "inline", _made(GOOD, dtype=types_pb2.DTYPE_BF16)),
    ("no data", "inline", Tensor(dtype=types_pb2.DTYPE_FP32, shape=GOOD)),
    ("no shape", "shape", _made([])),
    ("rank 2", "shape", _made([KV_HEADS, K_DIM])),
    ("rank 4", "shape", _made([1, 1, KV_HEADS, K_DIM])),
    ("rank 1000", "shape", _made([1] * 1000)),
    ("a negative dimension", "shape", _made([-1, KV_HEADS, -K_DIM])),
    ("no rows", "shape", _made([0, KV_HEADS, K_DIM], size=0)),
    ("a product of 2^64", "inline", _made([1, 1 << 32, 1 << 32])),
    ("a product that wraps to the size", "inline", _made([1, 1 << 62, BYTES >> 2])),
    ("dimensions of 2^63 - 1", "inline", _made([1, MOST, MOST])),
    ("a byte short", "inline", _made(GOOD, size=BYTES - 1)),
    ("a byte long", "inline", _made(GOOD, size=BYTES + 1)),
    ("empty", "inline", _made(GOOD, size=0)),
    ("three heads", "shape", tensor(1, 3, K_DIM)),
    ("a wider key", "shape", tensor(1, KV_HEADS, V_DIM)),
    ("heads and dims exchanged", "shape", tensor(1, K_DIM, KV_HEADS)),
]

_SLICE = Tensor(
    dtype=types_pb2.DTYPE_FP32, shape=GOOD, slice=types_pb2.ArenaSlice(arena_id=1, size_bytes=BYTES)
)


def _with_keys(name: str, part: str, k: Tensor, *how: str) -> list[Case]:
    """The tensor as keys of an append and of an attend."""
    layer = step_pb2.AppendLayer(k=k, v=values(1))
    return [
        Case(f"k {name}", "Append", lambda w: w.append([layer]), f"layers[0].k.{part}", *how),
        Case(f"k {name}", "Attend", lambda w: w.attend(k=k), f"k.{part}", *how),
    ]


def _layer(name: str, field: str, *how: str, **tensors: Tensor | None) -> Case:
    good = {"k": keys(1), "v": values(1)}
    made = step_pb2.AppendLayer(**{**good, **tensors})
    return Case(name, "Append", lambda w: w.append([made]), f"layers[0].{field}", *how)


def _attend(name: str, field: str, *how: str, **tensors: Tensor | None) -> Case:
    request: Callable[[Any], Any] = lambda w: w.attend(**tensors)  # noqa: E731
    return Case(name, "Attend", request, field, *how)


# Keys that alone are within the limit of a request, but not with the values.
_LARGE_ROWS = LIMITS["inline_tensor_bytes"] // (KV_HEADS * (K_DIM + V_DIM) * 4) + 1

CASES = [case for row in _TENSORS for case in _with_keys(*row)]
CASES += _with_keys("in an arena", "slice", _SLICE, *_NOT_THERE)
CASES += [
    _layer("no v", "v", v=None),
    _layer("v of another rank", "v.shape", v=tensor(KV_HEADS, V_DIM)),
    _layer("v as wide as a key", "v.shape", v=keys(1)),
    _layer("v of more rows", "v.shape", v=values(2)),
    _layer("v truncated", "v.inline", v=_made([1, KV_HEADS, V_DIM], size=7)),
    _layer("queries without a window", "observation_queries", observation_queries=keys(1)),
    _layer("more than the limit", "v.inline", k=keys(_LARGE_ROWS), v=values(_LARGE_ROWS)),
    _attend("no q", "q", q=None),
    _attend("k without v", "v", v=None),
    _attend("v without k", "k", k=None),
    _attend("q of kv heads", "q.shape", q=keys(1)),
    _attend("q of another width", "q.shape", q=tensor(1, 4, V_DIM)),
    _attend("q of more rows", "k.shape", q=tensor(2, 4, K_DIM)),
    _attend("q truncated", "q.inline", q=_made([1, 4, K_DIM], size=1)),
    _attend("q without dtype", "q.dtype", q=_made([1, 4, K_DIM], size=BYTES * 2, dtype=0)),
    _attend("q of 2^63 - 1 rows", "q.inline", q=_made([MOST, 4, K_DIM])),
    _attend("v as wide as a key", "v.shape", v=keys(1)),
]
