# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Connections that break in the middle of a large append."""

import random
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
from sluice._generated import sequence_pb2
from wire import Wire

CUTS = 60
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
