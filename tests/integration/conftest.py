# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Puts the client's sources on the path, and the daemon that most test files share."""

# ruff: noqa: E402

import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import pytest
import sluice
from bad_input_world import LIMITS
from bad_input_world import POOL_BYTES as LIMITED_POOL_BYTES
from example.daemon import Daemon
from wire import Wire

POOL_BYTES = 64 << 20
SKIPPED_EXIT_CODE = 77


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=[f"--pool_bytes={POOL_BYTES}"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


@pytest.fixture(scope="module")
def client(daemon: Daemon) -> Iterator[sluice.Client]:
    with sluice.Client(daemon.address) as client:
        yield client


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    with Wire(daemon.address) as wire:
        yield wire


@pytest.fixture(scope="module")
def limited_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One with low limits and a lot of patience until it is to stop, with steps left open."""
    config = tmp_path_factory.mktemp("config") / "config.json"
    patience = {"step_time_limit": "600s", "heartbeat_limit": "600s", "drain_timeout": "1s"}
    config.write_text(json.dumps({"limits": LIMITS, **patience}))
    with Daemon(flags=[f"--config={config}", f"--pool_bytes={LIMITED_POOL_BYTES}"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tells ctest that a file was skipped as a whole, by the exit code that it knows for that."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED_EXIT_CODE
