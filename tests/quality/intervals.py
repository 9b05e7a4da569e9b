# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""95 % confidence intervals of means over samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
_RESAMPLES = 2000
_SEED = 20260101


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


def exponential(interval: Interval) -> Interval:
    """The interval of the exponential, which keeps the order of values."""
    return Interval(*(float(np.exp(one)) for one in (interval.value, interval.low, interval.high)))


def wilson(shares: Sequence[float]) -> Interval:
    """The mean of samples in [0, 1] with Wilson's score interval (1927) for so many trials.

    Exact in its sense for samples of 0 and 1; for shares, whose mean varies less, it is wide.
    Raises ValueError without samples, or for one outside of [0, 1].
    """
    if not shares:
        raise ValueError("shares: none; needs one sample at least")
    if min(shares) < 0 or max(shares) > 1:
        raise ValueError(f"shares: {min(shares)} to {max(shares)}; must lie in [0, 1]")
    trials = len(shares)
    mean = sum(shares) / trials
    pull = _Z * _Z / trials
    middle = (mean + pull / 2) / (1 + pull)
    half = _Z / (1 + pull) * float(np.sqrt(mean * (1 - mean) / trials + pull / (4 * trials)))
    return Interval(mean, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(values: Sequence[float]) -> Interval:
    """The mean with the percentile bootstrap (Efron 1979) over samples, the same in every run.

    One sample has no spread to draw from: its interval is that sample. Raises ValueError
    without samples.
    """
    if not values:
        raise ValueError("values: none; needs one sample at least")
    known = np.asarray(values, np.float64)
    drawn = np.random.default_rng(_SEED).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), (0.025, 0.975))
    return Interval(float(known.mean()), float(low), float(high))
