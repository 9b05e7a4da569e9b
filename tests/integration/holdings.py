# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What clients hold of a daemon, to be compared before and after."""

import resource
from pathlib import Path

from example.daemon import Daemon
from sluice._generated import admin_pb2
from waiting import eventually
from wire import Wire


def holdings(status: admin_pb2.GetStatusResponse) -> tuple[int, ...]:
    """All that a client can hold; what is retired comes back by itself."""
    pool = status.pool
    return (
        pool.free_bytes,
        pool.reserved_bytes,
        pool.in_use_bytes,
        pool.cached_bytes,
        status.session_count,
        status.sequence_count,
        status.open_step_count,
        status.job_count,
    )


def assert_all_comes_back(wire: Wire, before: tuple[int, ...]) -> None:
    eventually(lambda: holdings(wire.status()), lambda now: now == before, "not all came back")


def resident_bytes(daemon: Daemon) -> int:
    pages = Path(f"/proc/{daemon.process_id}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()
