# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What is said of a run's progress."""

import io

import pytest
from progress import Progress, duration


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_time_left_follows_the_pace_so_far() -> None:
    clock, out = FakeClock(), io.StringIO()
    progress = Progress(10, out, clock)
    for _ in range(4):
        clock.now_s += 30
        progress.advance("recall, full at 100 %")
    last = out.getvalue().splitlines()[-1]
    assert last == "[quality] 4 of 10 cells, 3 min 0 s left; recall, full at 100 %"


def test_a_log_is_not_flooded_but_has_the_end() -> None:
    clock, out = FakeClock(), io.StringIO()
    progress = Progress(1000, out, clock)
    for _ in range(1000):
        clock.now_s += 0.1
        progress.advance("x")
    lines = out.getvalue().splitlines()
    assert 9 <= len(lines) <= 11
    assert lines[-1].startswith("[quality] 1000 of 1000 cells, 0 s left")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
