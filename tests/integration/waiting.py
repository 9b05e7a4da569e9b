# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Waiting for what happens a moment later, by asking again."""

import time
from collections.abc import Callable
from typing import Any

LONGEST_S = 20.0


def eventually(ask: Callable[[], Any], is_it: Callable[[Any], bool], what: str) -> Any:
    """The first answer that `is_it`; fails when there is none for LONGEST_S."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        last_time = time.monotonic() > deadline  # before it asks: this process may be stopped
        if is_it(found := ask()):
            return found
        assert not last_time, f"{what}; last found: {found}"
