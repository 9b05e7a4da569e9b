# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Requests for the oracle's model as bare messages."""

import numpy as np
import oracle
from sluice._generated import kv_cache_pb2, step_pb2
from sluice.tensors import fill_tensor
from wire import Wire


def register(wire: Wire) -> int:
    request = kv_cache_pb2.RegisterModelRequest(geometry=oracle.spec().to_wire())
    return int(wire.call("RegisterModel", request).model_id)


def append_of(tokens: int) -> step_pb2.AppendRequest:
    """A step of its own over all layers."""
    _, k, v = oracle.random_rows(tokens, np.random.default_rng(tokens))
    request = step_pb2.AppendRequest()
    request.entry.token_count = tokens
    request.entry.phase = step_pb2.PHASE_DECODE
    for layer in range(oracle.LAYERS):
        added = request.layers.add(layer=layer)
        fill_tensor(added.k, k, "k")
        fill_tensor(added.v, v, "v")
    return request


def attend_of(tokens: int) -> step_pb2.AttendRequest:
    return attend(*oracle.random_rows(tokens, np.random.default_rng(1)))


def attend(
    q: oracle.Array, k: oracle.Array, v: oracle.Array, step: int = 0
) -> step_pb2.AttendRequest:
    request = step_pb2.AttendRequest(step_id=step)
    for name, rows in (("q", q), ("k", k), ("v", v)):
        fill_tensor(getattr(request, name), rows, name)
    return request


def reading_of(sequence: int, rows: int) -> step_pb2.AttendRequest:
    """An attend without a step, whose answer is as large as the request."""
    request = step_pb2.AttendRequest()
    request.sequences.sequences.add(sequence_id=sequence, row_count=rows)
    q, _, _ = oracle.random_rows(rows, np.random.default_rng(1))
    fill_tensor(request.q, q, "q")
    return request
