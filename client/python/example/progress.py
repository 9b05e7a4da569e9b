# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What happens just now, on stderr, so that stdout has the results alone."""

import sys
import time

_INTERVAL_S = 1.0


def say(message: str) -> None:
    print(f"[example] {message}", file=sys.stderr, flush=True)


class Progress:
    """A count towards a total, shown at most once a second and at its end."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._shown_at = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._shown_at >= _INTERVAL_S or self._done == self._total:
            self._shown_at = now
            say(f"{self._what}: {self._done} of {self._total}")
