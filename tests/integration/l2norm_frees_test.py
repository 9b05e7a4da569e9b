# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""l2norm at 50 % gives half of a sequence's pages back, and another sequence uses them."""

import json
from collections.abc import Iterator

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon
from example.figures import Figure, write
from sluice._generated import admin_pb2
from waiting import eventually
from wire import Wire

POOL_BYTES = 20 << 20
JOB_RESERVE_BYTES = 2 << 20
SLAB_BYTES = 256 << 10
TOKENS = 4096
CHUNK_TOKENS = 512
PAGE_TOKENS = 32
PAGE_BYTES = PAGE_TOKENS * oracle.HEAD_DIM * 2 * 4  # keys and values in fp32
HEADS = oracle.LAYERS * oracle.KV_HEADS
POLICY = sluice.Policy(
    "l2norm", ratio=sluice.Ratio(0.5), prune_after_tokens=0, skip_layers=(),
    triggers=sluice.Triggers(),
)  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = tmp_path_factory.mktemp("config") / "config.json"
    pool = {"job_reserve_bytes": JOB_RESERVE_BYTES, "slab_bytes": SLAB_BYTES}
    config.write_text(json.dumps({"pool": pool}))
    with Daemon(flags=[f"--config={config}", f"--pool_bytes={POOL_BYTES}"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


def fill(client: sluice.Client, sequence: sluice.KvSequence, tokens: int) -> None:
    generator = np.random.default_rng(tokens)
    while sequence.length < tokens:
        count = min(CHUNK_TOKENS, tokens - sequence.length)
        layers = []
        for layer in range(oracle.LAYERS):
            _, k, v = oracle.random_rows(count, generator)
            layers.append(sluice.LayerRows(layer, k, v))
        entry = sluice.StepEntry(sequence, token_count=count, phase=sluice.Phase.PREFILL)
        client.append(entry, layers)


def pages_in_use(wire: Wire) -> int:
    """Once nothing waits to be given up or to be free: all belong to a sequence."""

    def ask() -> tuple[int, int, int]:
        pool = wire.status().pool
        listed = wire.call("ListSequences", admin_pb2.ListSequencesRequest()).sequences
        return pool.in_use_bytes, pool.retired_bytes, sum(one.held_bytes for one in listed)

    in_use_bytes, _, _ = eventually(
        ask, lambda found: found[1] == 0 and found[0] == found[2], "pages stay in use or retired"
    )
    assert in_use_bytes % PAGE_BYTES == 0
    return int(in_use_bytes) // PAGE_BYTES


def report(freed_share: float) -> None:
    goal = 0.5 - PAGE_TOKENS / TOKENS  # all but a page of each head
    figure = Figure("l2norm_frees", freed_share, "share of the pages", bound=0.5, goal=goal)
    write("l2norm_frees.json", [figure])


def test_half_comes_back_and_is_used(daemon: Daemon, wire: Wire) -> None:
    with sluice.Client(daemon.address) as client:
        model = client.register_model(oracle.spec())
        first = client.create_sequence(model, policy=POLICY)
        second = client.create_sequence(model)
        fill(client, first, TOKENS)
        full = pages_in_use(wire)
        assert full == TOKENS // PAGE_TOKENS * HEADS
        with pytest.raises(sluice.ResourceExhausted) as refused:
            fill(client, second, TOKENS)
        assert refused.value.reason == "POOL_FULL"
        client.free([second])
        assert pages_in_use(wire) == full

        done = first.compress()
        kept = pages_in_use(wire)
        assert {one for layer in done.layers for one in layer.kept_tokens} == {TOKENS // 2}
        assert full // 2 <= kept <= full // 2 + HEADS
        assert done.freed_now_bytes == (full - kept) * PAGE_BYTES

        third = client.create_sequence(model)
        fill(client, third, TOKENS)
        assert pages_in_use(wire) == kept + full
        assert first.get().kept_tokens == TOKENS // 2 * HEADS
    report((full - kept) / full)
