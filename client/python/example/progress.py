# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What happens just now, on stderr, so that stdout has the results alone."""

import sys
import time
from types import TracebackType

_PREFIX = "[example] "
_TERMINAL_INTERVAL_S = 0.1
_LOG_INTERVAL_S = 5.0
_TO_START_AND_ERASE = "\r\033[K"


def say(message: str) -> None:
    """A line that stays."""
    print(f"{_PREFIX}{message}", file=sys.stderr, flush=True)


class Progress:
    """A count towards a total, for the length of a `with` block.

    On a terminal it is one line that is written over, and gone at the end; elsewhere a line every
    five seconds. Nothing else may be printed inside the block.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._interval_s = _TERMINAL_INTERVAL_S if self._terminal else _LOG_INTERVAL_S
        self._shown_at = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._shown_at < self._interval_s:
            return
        self._shown_at = now
        line = f"{self._what}: {self._done} of {self._total}"
        if self._terminal:
            sys.stderr.write(f"{_TO_START_AND_ERASE}{_PREFIX}{line}")
            sys.stderr.flush()
        else:
            say(line)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._terminal:
            sys.stderr.write(_TO_START_AND_ERASE)
            sys.stderr.flush()
