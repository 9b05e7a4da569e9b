# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The example's progress: one line on a terminal, a line now and then in a log."""

import contextlib
import io

import pytest
from example import progress
from example.progress import Progress, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown_on(stderr: io.StringIO, clock: list[float], step_s: float) -> str:
    """What twenty steps of so many seconds write."""
    with contextlib.redirect_stderr(stderr):
        with Progress("tokens", 20) as shown:
            for _ in range(20):
                clock[0] += step_s
                shown.advance()
        say("done")
    return stderr.getvalue()


def test_on_a_terminal_one_line_is_written_over_and_then_gone(clock: list[float]) -> None:
    lines = shown_on(Terminal(), clock, 1).split("\r\033[K")
    told = [f"[example] tokens: {done} of 20" for done in range(1, 21)]
    assert lines == ["", *told, "[example] done\n"]


def test_in_a_log_a_line_comes_every_five_seconds(clock: list[float]) -> None:
    lines = shown_on(io.StringIO(), clock, 1).splitlines()
    told = [f"[example] tokens: {done} of 20" for done in (5, 10, 15, 20)]
    assert lines == [*told, "[example] done"]


@pytest.mark.parametrize("stderr", [io.StringIO(), Terminal()])
def test_what_is_done_at_once_is_not_counted(stderr: io.StringIO, clock: list[float]) -> None:
    assert "tokens" not in shown_on(stderr, clock, 0)
