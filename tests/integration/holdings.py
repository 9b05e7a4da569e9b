# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What clients hold of a daemon, to be compared before and after."""

import resource
from functools import cache
from pathlib import Path

from example.daemon import Daemon, find_binary
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
    """0 for a daemon that is built with a sanitizer, which keeps memory of its own."""
    if _is_sanitized():
        return 0
    pages = Path(f"/proc/{daemon.process_id}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@cache
def _is_sanitized() -> bool:
    binary = find_binary().read_bytes()
    return any(name in binary for name in (b"__asan_init", b"__tsan_init"))
