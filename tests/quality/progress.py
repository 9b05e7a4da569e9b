# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a run does just now, on stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_INTERVAL_S = 0.2
_LOG_INTERVAL_S = 10.0
_TO_START_AND_ERASE = "\r\033[K"


def say(message: str) -> None:
    """A line that stays."""
    print(f"[quality] {message}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Counts cells towards a total and says how long the rest takes at the pace so far.

    On a terminal it is one line that is written over, elsewhere a line every ten seconds.
    """

    def __init__(
        self,
        total: int,
        out: TextIO = sys.stderr,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`total`: the cells still to be measured."""
        self._total = total
        self._out = out
        self._now_s = now_s
        self._terminal = out.isatty()
        self._interval_s = _TERMINAL_INTERVAL_S if self._terminal else _LOG_INTERVAL_S
        self._started_s = self._shown_s = now_s()
        self._done = 0

    @property
    def elapsed_s(self) -> float:
        return self._now_s() - self._started_s

    def advance(self, what: str) -> None:
        """A cell is finished: `what`."""
        self._done += 1
        now = self._now_s()
        if now - self._shown_s < self._interval_s and self._done < self._total:
            return
        self._shown_s = now
        left_s = self.elapsed_s / self._done * (self._total - self._done)
        line = f"[quality] {self._done} of {self._total} cells, {duration(left_s)} left; {what}"
        if self._terminal:
            last = "\n" if self._done == self._total else ""
            self._out.write(f"{_TO_START_AND_ERASE}{line}{last}")
        else:
            self._out.write(f"{line}\n")
        self._out.flush()
