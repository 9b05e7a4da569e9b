# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the papers say of pairs of policies, and whether it holds here, as differences with
intervals over the same texts at equal budgets."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from intervals import bootstrap
from summary import Finished
from table import percent, ruled
from tasks import Measure

_RETRIEVAL = ("passkey_aware", "passkey_agnostic", "recall")
_PASSKEY = ("passkey_aware", "passkey_agnostic")


@dataclass(frozen=True)
class Claim:
    """`better` does no worse than `worse` in these tasks together; `strictly`: it does better.

    Over every budget from `least_budget` to `most_budget`; all tokens are never among them.
    """

    better: str
    worse: str
    tasks: tuple[str, ...]
    strictly: bool = False
    least_budget: float = 0.0
    most_budget: float = 1.0

    def is_about(self, task: str, budget: float) -> bool:
        within = self.least_budget <= budget <= self.most_budget
        return task in self.tasks and within and budget < 1


CLAIMS = (
    Claim("dynamickv", "pyramidkv", _RETRIEVAL),
    Claim("dynamickv", "snapkv", _RETRIEVAL),
    Claim("snapkv", "streaming_llm", _RETRIEVAL),
    Claim("snapkv", "sink_window", _RETRIEVAL),
    Claim("cascade_4", "cascade_1", ("stream",)),
    # Texts of 4 to 16 times what is kept.
    Claim("cascade_8", "cascade_1", _PASSKEY, True, 1 / 16, 1 / 4),
)


@dataclass(frozen=True)
class Comparison:
    """How much better the claim's first is than its second, in the mean over texts.

    task: one, or all of the claim's with `+` between. budget: None: the mean over all. value: of
    shares right, or nats a byte less; low and high: the 95 % bootstrap interval over texts. holds:
    by its mean; certain: the interval does not say otherwise.
    """

    better: str
    worse: str
    task: str
    budget: float | None
    value: float
    low: float
    high: float
    samples: int
    holds: bool
    certain: bool


def comparisons_of(
    finished: Iterable[Finished], claims: Iterable[Claim] = CLAIMS
) -> list[Comparison]:
    """Of each claim whose policies were both measured: all its tasks together, over its budgets
    and at each of them; then each task over all budgets. A text is a seed.

    They are told, not promised: a model may disagree with a paper.
    """
    known = {(c.line.name, c.task.name, c.budget, c.seed): (c, r) for c, r in finished}
    found = []
    for claim in claims:
        differences = _differences(known, claim)
        if not differences:
            continue
        budgets = sorted({budget for _, budget, _ in differences})
        together = "+".join(claim.tasks)
        found += [_compared(claim, together, one, differences) for one in (None, *budgets)]
        if len(claim.tasks) > 1:
            found += [
                _compared(
                    claim, task, None, {at: d for at, d in differences.items() if at[0] == task}
                )
                for task in claim.tasks
                if any(at[0] == task for at in differences)
            ]
    return found


def comparison_table(comparisons: Iterable[Comparison]) -> str:
    lines = [["claim", "task", "budget", "difference", "holds"]]
    for one in comparisons:
        budget = "all" if one.budget is None else percent(one.budget)
        difference = f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
        holds = ("yes" if one.holds else "no") + ("" if one.certain else ", uncertain")
        claim = f"{one.better} over {one.worse}"
        lines.append([claim, one.task, budget, difference, holds])
    return ruled(lines)


_Differences = dict[tuple[str, float, int], float]


def _differences(known: dict[tuple[str, str, float, int], Finished], claim: Claim) -> _Differences:
    """By task, budget and seed."""
    found = {}
    for (name, task, budget, seed), (cell, record) in known.items():
        other = known.get((claim.worse, task, budget, seed))
        if name == claim.better and other is not None and claim.is_about(task, budget):
            difference = record.value - other[1].value
            less_is_better = cell.task.measure is Measure.PERPLEXITY
            found[task, budget, seed] = -difference if less_is_better else difference
    return found


def _compared(
    claim: Claim, task: str, budget: float | None, differences: _Differences
) -> Comparison:
    """Seeds that lack a task or budget of another are as good as they are."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for (_, at_budget, seed), difference in differences.items():
        if budget in (None, at_budget):
            by_seed[seed].append(difference)
    means = [sum(of_seed) / len(of_seed) for of_seed in by_seed.values()]
    interval = bootstrap(means)
    value, low, high = interval.value, interval.low, interval.high
    holds = value > 0 if claim.strictly else value >= 0
    certain = (low > 0 or (not claim.strictly and low == 0)) if holds else high < 0
    numbers = (value, low, high, len(means), holds, certain)
    return Comparison(claim.better, claim.worse, task, budget, *numbers)
