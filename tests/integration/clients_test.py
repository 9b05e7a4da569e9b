# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Two clients at once, and clients that are killed in the middle of something."""

import subprocess
import sys
from pathlib import Path

import pytest
from example.daemon import Daemon
from holdings import assert_all_comes_back, holdings
from wire import Wire

PROCESS = Path(__file__).with_name("client_process.py")
TIMEOUT_S = 60


class ClientProcess:
    """A running client_process.py, killed at the latest when the block ends."""

    def __init__(self, daemon: Daemon, mode: str, *arguments: int) -> None:
        command = [sys.executable, str(PROCESS), daemon.address, mode, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def finish(self) -> None:
        self.wait_for("done")
        assert self.process.wait(TIMEOUT_S) == 0

    def __enter__(self) -> "ClientProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def test_two_clients_at_once(daemon: Daemon, wire: Wire) -> None:
    before = holdings(wire.status())
    with ClientProcess(daemon, "check", 1, 12) as one, ClientProcess(daemon, "check", 2, 12) as two:
        for client in (one, two):
            client.wait_for("ready")
        for client in (one, two):
            client.finish()
    assert_all_comes_back(wire, before)


@pytest.mark.parametrize("mode", ["mid-step", "mid-call"])
def test_a_killed_client_leaves_nothing_and_disturbs_nobody(
    daemon: Daemon, wire: Wire, mode: str
) -> None:
    before = holdings(wire.status())
    with ClientProcess(daemon, "check", 3, 25) as bystander:
        bystander.wait_for("ready")
        for seed in range(2):
            with ClientProcess(daemon, mode, seed) as victim:
                victim.wait_for("ready")
                assert wire.status().open_step_count >= 3
                victim.kill()
        bystander.finish()
    assert_all_comes_back(wire, before)
    assert wire.status().totals.undone_step_count >= 6
