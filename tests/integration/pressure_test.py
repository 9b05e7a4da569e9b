# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Clients that want more than there is, all the time."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon
from holdings import assert_all_comes_back, holdings, resident_bytes
from raw_steps import append_of, register
from sluice._generated import sequence_pb2
from wire import Wire, refusal_of

CLIENTS = 3
CALLS = 150
SIZES = (1, 30, 300, 1000)  # tokens of an append
GROWTH_BYTES = 64 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=["--pool_bytes=33554432"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


def press(address: str, seed: int) -> int:
    """Appends to sequences of its own, and frees some when the pool is full; how often it was."""
    generator = random.Random(seed)
    requests = [append_of(tokens) for tokens in SIZES]
    full = 0
    with Wire(address) as wire:
        stream, model = wire.stream(), register(wire)
        create = sequence_pb2.CreateSequenceRequest(model_id=model, session_id=stream.session_id)
        lengths: dict[int, int] = {}
        for _ in range(CALLS):
            if len(lengths) < 4:
                lengths[wire.call("CreateSequence", create).sequence_id] = 0
            request = generator.choice(requests)
            request.entry.sequence_id = generator.choice(list(lengths))
            request.entry.base_length = lengths[request.entry.sequence_id]
            try:
                wire.call("Append", request)
                lengths[request.entry.sequence_id] += request.entry.token_count
            except grpc.RpcError as error:
                assert_says_what_is_missing(error)
                full += 1
                gone = generator.choice(list(lengths))
                wire.call("FreeSequences", sequence_pb2.FreeSequencesRequest(sequence_ids=[gone]))
                del lengths[gone]
        stream.finish()
    return full


def assert_says_what_is_missing(error: grpc.RpcError) -> None:
    found = refusal_of(error)
    assert (found.code, found.reason) == ("RESOURCE_EXHAUSTED", "POOL_FULL"), found
    details = {one.key: one.value for one in error.trailing_metadata() or ()}
    assert int(details["sluice-missing-bytes"]) > 0
    assert int(details["sluice-retry-after-ms"]) > 0


def test_a_full_pool_refuses_and_serves_on(daemon: Daemon, wire: Wire) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    before, resident = holdings(wire.status()), resident_bytes(daemon)
    with ThreadPoolExecutor(CLIENTS) as pool:
        pressing = [pool.submit(press, daemon.address, seed + index) for index in range(CLIENTS)]
        full = [one.result() for one in pressing]
    assert all(full)
    assert_all_comes_back(wire, before)
    assert resident_bytes(daemon) - resident < GROWTH_BYTES
    with sluice.Client(daemon.address) as client, client.session() as session:
        after = client.create_sequence(client.register_model(oracle.spec()), session=session)
        oracle.CheckedSequence(after, np.random.default_rng(seed)).step(session, 70)
