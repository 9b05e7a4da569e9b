# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Puts the client's sources on the path, and the daemon that most test files share."""

# ruff: noqa: E402

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import pytest
from example.daemon import Daemon
from wire import Wire

POOL_BYTES = 64 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=[f"--pool_bytes={POOL_BYTES}"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    with Wire(daemon.address) as wire:
        yield wire
