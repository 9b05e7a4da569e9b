# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Connections that break in the middle of a large append."""

import random
import time
from pathlib import Path

import grpc
import numpy as np
import oracle
import pytest
import sluice
from cutting_proxy import CuttingProxy
from example.daemon import Daemon
from holdings import assert_all_comes_back, holdings, resident_bytes
from raw_steps import append_of, register
from sluice._generated import kv_cache_pb2, sequence_pb2, step_pb2, types_pb2
from sluice.tensors import fill_tensor
from wire import Wire

CUTS = 60
BLOCKS = 10_000
REUSABLE_S = 1.0  # 0.1, but for a busy machine
TOKENS = 2500
HELLO_BYTES = 1000  # what goes before the first message, about
GROWTH_BYTES = 48 << 20  # a few messages; the cuts bring some hundred MiB


def append_through(proxy: CuttingProxy, wire: Wire, model: int, way: str) -> None:
    request = append_of(TOKENS)
    with Wire(proxy.address) as broken:
        stream = broken.stream()
        create = sequence_pb2.CreateSequenceRequest(model_id=model, session_id=stream.session_id)
        request.entry.sequence_id = wire.call("CreateSequence", create).sequence_id
        if way == "unary":
            broken.call("Append", request)
        else:
            stream.call("append", request)
        stream.finish()


@pytest.mark.parametrize("way", ["unary", "stream"])
def test_nothing_is_left_of_an_append_that_broke_off(
    daemon: Daemon, wire: Wire, tmp_path: Path, way: str
) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    generator = random.Random(seed)
    model = register(wire)
    whole = HELLO_BYTES + append_of(TOKENS).ByteSize()
    before, resident = holdings(wire.status()), resident_bytes(daemon)
    broken = 0
    for index in range(CUTS):
        limit = generator.randrange(whole if index % 4 else HELLO_BYTES)
        proxy = CuttingProxy(tmp_path / f"{index}", daemon.address, limit)
        try:
            append_through(proxy, wire, model, way)
        except grpc.RpcError:
            broken += 1
        proxy.join()
        assert_all_comes_back(wire, before)
    assert broken > CUTS // 2
    assert resident_bytes(daemon) - resident < GROWTH_BYTES
    with sluice.Client(daemon.address) as client, client.session() as session:
        after = client.create_sequence(client.register_model(oracle.spec()), session=session)
        oracle.CheckedSequence(after, np.random.default_rng(seed)).step(session, 70)


def test_ten_thousand_blocks_come_back_at_once(daemon: Daemon, wire: Wire, tmp_path: Path) -> None:
    shape = types_pb2.ModelGeometry(
        name="slim", query_head_count=1, k_dim=16, v_dim=16, dtype=types_pb2.DTYPE_BF16
    )
    shape.page_size_tokens = 16
    shape.layers.add(kv_head_count=1)
    model = wire.call("RegisterModel", kv_cache_pb2.RegisterModelRequest(geometry=shape)).model_id
    before = holdings(wire.status())
    proxy = CuttingProxy(tmp_path / "socket", daemon.address, 1 << 40)
    with Wire(proxy.address) as broken:
        stream = broken.stream()  # kept: it would end with its last reference
        create = sequence_pb2.CreateSequenceRequest(model_id=model, session_id=stream.session_id)
        append = step_pb2.AppendRequest()
        append.entry.sequence_id = wire.call("CreateSequence", create).sequence_id
        append.entry.token_count = BLOCKS * 16
        append.entry.phase = step_pb2.PHASE_DECODE
        layer = append.layers.add(layer=0)
        for part in (layer.k, layer.v):
            fill_tensor(part, np.ones((BLOCKS * 16, 1, 16), np.float32), "rows")
        wire.call("Append", append)
        assert wire.status().pool.in_use_bytes >= BLOCKS * 1024
        start = time.monotonic()
        proxy.cut()
        assert_all_comes_back(wire, before)
        took_s = time.monotonic() - start
    print(f"{BLOCKS} blocks came back after {1e3 * took_s:.0f} ms")
    assert took_s < REUSABLE_S
