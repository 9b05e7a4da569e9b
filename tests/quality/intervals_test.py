# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The intervals against figures worked out by hand or published, and by what they must cover."""

import random

import pytest
from intervals import bootstrap, exponential, wilson


def test_wilson_agrees_with_published_figures() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    cases = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0000, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, trials), expected in cases.items():
        found = wilson([1.0] * right + [0.0] * (trials - right))
        assert found.value == pytest.approx(right / trials)
        assert (round(found.low, 4), round(found.high, 4)) == expected


def test_wilson_of_all_right_is_the_mirror_of_none_right() -> None:
    none, every = wilson([0.0] * 20), wilson([1.0] * 20)
    assert every.low == pytest.approx(1 - none.high)
    assert (every.value, every.high, none.low) == (1.0, 1.0, 0.0)


def test_wilson_of_shares_takes_their_mean() -> None:
    assert wilson([0.5, 0.5]) == wilson([0.0, 1.0])


@pytest.mark.parametrize("shares", [[], [1.1], [0.5, -0.1]])
def test_wilson_refuses_what_are_no_shares(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        wilson(shares)


def test_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    generator = random.Random(7)
    covered = 0
    for _ in range(300):
        found = bootstrap([generator.gauss(3.0, 2.0) for _ in range(40)])
        covered += found.low <= 3.0 <= found.high
    # 95 % of 300 is 285; the percentile bootstrap of 40 samples is a little short of it.
    assert 268 <= covered <= 296, covered


def test_bootstrap_is_as_wide_as_the_spread_of_the_mean() -> None:
    generator = random.Random(8)
    values = [generator.gauss(0.0, 1.0) for _ in range(400)]
    found = bootstrap(values)
    assert found.value == pytest.approx(sum(values) / 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_bootstrap_is_the_same_in_every_run() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap([2.5]).low == bootstrap([2.5]).high == 2.5


def test_bootstrap_refuses_no_samples() -> None:
    with pytest.raises(ValueError, match="values"):
        bootstrap([])


def test_exponential_keeps_the_order() -> None:
    found = exponential(bootstrap([0.0, 1.0, 2.0]))
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(2.718281828)
