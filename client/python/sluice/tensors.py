# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Between numpy arrays and the wire's tensors: dense, row-major, little-endian."""

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from sluice._generated import types_pb2

Array = NDArray[Any]

FP32 = np.dtype(np.float32)
FP16 = np.dtype(np.float16)
BF16 = np.dtype(ml_dtypes.bfloat16)

_TO_WIRE = {FP32: types_pb2.DTYPE_FP32, BF16: types_pb2.DTYPE_BF16, FP16: types_pb2.DTYPE_FP16}
_FROM_WIRE: dict[int, "np.dtype[Any]"] = {value: key for key, value in _TO_WIRE.items()}


def to_wire_dtype(dtype: Any, field: str) -> types_pb2.Dtype:
    """Raises ValueError, naming the field, for anything but float32, bfloat16 and float16."""
    found = _TO_WIRE.get(np.dtype(dtype))
    if found is None:
        raise ValueError(f"{field}: dtype {np.dtype(dtype)}; must be float32, bfloat16 or float16")
    return found


def from_wire_dtype(dtype: int) -> "np.dtype[Any]":
    """Raises ValueError for a number format that this client does not know."""
    if dtype not in _FROM_WIRE:
        raise ValueError(f"dtype: {dtype}; this client knows {sorted(_FROM_WIRE)}")
    return _FROM_WIRE[dtype]


def check_array(array: Any, field: str) -> None:
    """Raises TypeError, naming the field, for anything but a numpy array, such as a list."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{field}: {type(array).__name__}; must be a numpy array")


def fill_tensor(wire: types_pb2.Tensor, array: Array, field: str) -> None:
    """Copies the array into the wire's tensor. Raises ValueError for other dtypes."""
    wire.dtype = to_wire_dtype(array.dtype, field)
    wire.shape.extend(array.shape)
    wire.inline = array.tobytes()


def from_tensor(tensor: types_pb2.Tensor) -> Array:
    """The tensor as a read-only array. Raises ValueError when its size does not fit its shape."""
    dtype = from_wire_dtype(tensor.dtype)
    shape = tuple(tensor.shape)
    expected = math.prod(shape) * dtype.itemsize
    if len(tensor.inline) != expected:
        raise ValueError(f"tensor of shape {shape} and {dtype} has {len(tensor.inline)} bytes")
    return np.frombuffer(tensor.inline, dtype).reshape(shape)


def token_ranges(arrays: Sequence[Array], limit_bytes: int) -> list[tuple[int, int]]:
    """Cuts the first dimension, which the arrays share, into ranges of at most `limit_bytes` over
    all arrays, and of one token where even that is more. Raises ValueError when they do not
    have the same number of rows."""
    tokens = len(arrays[0])
    if any(len(array) != tokens for array in arrays):
        raise ValueError(f"tensors of {[len(array) for array in arrays]} rows; must be equal")
    token_bytes = sum(array.nbytes // max(len(array), 1) for array in arrays)
    size = max(limit_bytes // max(token_bytes, 1), 1)
    return [(first, min(first + size, tokens)) for first in range(0, tokens, size)] or [(0, 0)]


def sequence_parts(
    row_counts: Sequence[int], q: Array, limit_bytes: int
) -> list[tuple[slice, slice]]:
    """Cuts sequences, and with them the rows of q that are theirs in order, into parts of at most
    `limit_bytes`, and of one sequence where even that is more. Raises ValueError when q has to be
    cut and its rows are not those of the sequences."""
    if q.nbytes <= limit_bytes:
        return [(slice(None), slice(None))]
    if sum(row_counts) != len(q) or min(row_counts, default=0) < 1:
        raise ValueError(f"sequences: rows {list(row_counts)}; must be those of q, {len(q)}")
    at_once = limit_bytes * len(q) // q.nbytes
    parts: list[tuple[slice, slice]] = []
    first, first_row, row = 0, 0, 0
    for index, count in enumerate(row_counts):
        if index > first and row + count - first_row > at_once:
            parts.append((slice(first, index), slice(first_row, row)))
            first, first_row = index, row
        row += count
    return [*parts, (slice(first, None), slice(first_row, None))]
