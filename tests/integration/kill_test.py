# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Many clients that are killed at any point of a call; then nothing of them is left."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon
from holdings import assert_all_comes_back, holdings
from wire import Wire

VICTIMS = 4
KILLS = 200
SCRIPT = Path(__file__).with_name("victims.py")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that does not keep long what belongs to no session."""
    config = tmp_path_factory.mktemp("config") / "config.json"
    config.write_text(json.dumps({"default_lease": "1s", "step_time_limit": "1s"}))
    with Daemon(flags=[f"--config={config}", "--pool_bytes=134217728"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


class Victims:
    """A process that makes victims on request, and those that it made."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.random = random.Random(seed)
        command = [sys.executable, str(SCRIPT), daemon.address]
        self.maker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a process group of its own, with all that it makes
        )
        self.living: list[int] = []

    def add(self, count: int) -> None:
        """Returns when as many more have a session."""
        assert self.maker.stdin is not None and self.maker.stdout is not None
        for _ in range(count):
            self.maker.stdin.write(b"%d\n" % self.random.randrange(1 << 30))
        for _ in range(count):
            line = self.maker.stdout.readline()
            assert line, "the maker of victims ended"
            self.living.append(int(line))

    def kill_one(self) -> None:
        victim = self.living.pop(self.random.randrange(len(self.living)))
        os.kill(victim, signal.SIGKILL)

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *error: object) -> None:
        os.killpg(self.maker.pid, signal.SIGKILL)
        self.maker.communicate()


def test_killed_clients_leave_nothing(daemon: Daemon, wire: Wire) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    with sluice.Client(daemon.address) as client, client.session() as session:
        model = client.register_model(oracle.spec())
        before = holdings(wire.status())
        bystander = oracle.CheckedSequence(
            client.create_sequence(model, session=session), np.random.default_rng(seed)
        )
        with Victims(daemon, seed) as victims:
            victims.add(VICTIMS)
            for _ in range(KILLS):
                bystander.step(session, 1)
                victims.kill_one()
                victims.add(1)
        bystander.sequence.free()
        assert_all_comes_back(wire, before)
        after = client.create_sequence(model, session=session)
        oracle.CheckedSequence(after, np.random.default_rng(seed)).step(session, 70)
    status = wire.status()
    assert status.totals.undone_step_count > 0
