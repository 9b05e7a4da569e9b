# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Two clients at once, and clients that are killed in the middle of something."""

import pytest
from example.daemon import Daemon
from client_processes import ClientProcess
from holdings import assert_all_comes_back, holdings
from wire import Wire


def test_two_clients_at_once(daemon: Daemon, wire: Wire) -> None:
    before = holdings(wire.status())
    with (
        ClientProcess(daemon.address, "check", 1, 12) as one,
        ClientProcess(daemon.address, "check", 2, 12) as two,
    ):
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
    with ClientProcess(daemon.address, "check", 3, 25) as bystander:
        bystander.wait_for("ready")
        for seed in range(2):
            with ClientProcess(daemon.address, mode, seed) as victim:
                victim.wait_for("ready")
                assert wire.status().open_step_count >= 3
                victim.kill()
        bystander.finish()
    assert_all_comes_back(wire, before)
    assert wire.status().totals.undone_step_count >= 6
