# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The daemon is killed while clients work or wait; they hear of it and go on with the next one."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon
from waiting import eventually
from wire import Wire

RESTARTS = 20
WORKERS = 4
MOST_TOKENS = 200  # of a sequence, so that the oracle stays fast
HEARD_S = 10  # at once, but for a busy machine
WAIT_S = 60

# What a worker may hear: nobody answers, or its ids are of the life before.
EXPECTED = (sluice.Unavailable, sluice.DaemonRestarted)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=["--pool_bytes=33554432"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


class Worker:
    """Makes checked steps on a thread, and begins anew whenever the daemon went away."""

    def __init__(self, address: str, seed: int, on_session: bool) -> None:
        self.steps = 0
        self.heard: set[type[BaseException]] = set()
        self.stopping = threading.Event()
        self._address = address
        self._on_session = on_session
        self._generator = np.random.default_rng(seed)

    def run(self) -> None:
        with sluice.Client(self._address) as client:
            while not self.stopping.is_set():
                try:
                    self._work(client)
                except EXPECTED as error:
                    self.heard.add(type(error))

    def _work(self, client: sluice.Client) -> None:
        """Raises SluiceError when the daemon goes away."""
        with client.session() as session:
            calls = session if self._on_session else client
            model = client.register_model(oracle.spec())
            while not self.stopping.is_set():
                sequence = client.create_sequence(model, session=session)
                checked = oracle.CheckedSequence(sequence, self._generator)
                while sequence.length < MOST_TOKENS and not self.stopping.is_set():
                    checked.step(calls, int(self._generator.integers(1, 20)))
                    self.steps += 1
                sequence.free()


def test_clients_go_on_with_each_next_daemon(daemon: Daemon) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    generator = random.Random(seed)
    workers = [Worker(daemon.address, seed + index, index % 2 == 0) for index in range(WORKERS)]
    longest_s = 0.0
    with ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(worker.run) for worker in workers]
        try:
            for _ in range(RESTARTS):
                await_steps(workers, running, generator.randrange(1, 4))
                daemon.kill()
                daemon.start()
                start = time.monotonic()
                await_steps(workers, running, 1)
                longest_s = max(longest_s, time.monotonic() - start)
        finally:
            for worker in workers:
                worker.stopping.set()
        for one in running:
            one.result()
    print(f"all went on {longest_s:.2f} s after a restart at the latest")
    assert sluice.Unavailable in set().union(*(worker.heard for worker in workers))
    with Wire(daemon.address) as wire:
        eventually(lambda: wire.status().pool.in_use_bytes, lambda left: left == 0, "a leak")


def await_steps(workers: list[Worker], running: list[Future[None]], more: int) -> None:
    """Until each worker has made as many more steps; fails with a worker's own error."""
    wanted = [worker.steps + more for worker in workers]

    def reached() -> bool:
        for one in running:
            if one.done():
                one.result()
        return all(worker.steps >= steps for worker, steps in zip(workers, wanted, strict=True))

    eventually(reached, bool, "a client does not go on")


def test_calls_that_wait_are_answered_at_once(daemon: Daemon) -> None:
    with sluice.Client(daemon.address) as client, client.session() as session:
        model = client.register_model(oracle.spec())
        busy = client.create_sequence(model, session=session)
        entry = sluice.StepEntry(busy, token_count=1)
        opened = session.begin_step([entry])
        waiting: dict[str, Callable[[], object]] = {
            "session": lambda: session.begin_step([entry], max_wait_s=WAIT_S),
            "unary": lambda: client.begin_step([entry], max_wait_s=WAIT_S),
            "fork": lambda: client.fork([busy], max_wait_s=WAIT_S),
            "policy": lambda: busy.set_policy(sluice.Policy("full"), max_wait_s=WAIT_S),
            "compress": lambda: busy.compress(max_wait_s=WAIT_S),
        }
        with ThreadPoolExecutor(len(waiting)) as pool, Wire(daemon.address) as wire:
            calls = {name: pool.submit(call) for name, call in waiting.items()}
            for _ in range(20):
                assert wire.status().open_step_count == 1
            assert not any(call.done() for call in calls.values())
            daemon.kill()
            start = time.monotonic()
            for name, call in calls.items():
                error = call.exception(WAIT_S)
                assert isinstance(error, sluice.Unavailable), (name, error)
            assert time.monotonic() - start < HEARD_S
        daemon.start()
        for stale in (
            busy.get,
            lambda: client.abort_step(opened.id),
            lambda: session.begin_step([entry]),
        ):
            with pytest.raises(sluice.DaemonRestarted) as caught:
                stale()
            assert caught.value.reason == "STALE_EPOCH"
        new = client.create_sequence(client.register_model(oracle.spec()), session=session)
        oracle.CheckedSequence(new, np.random.default_rng(2)).step(session, 5)
