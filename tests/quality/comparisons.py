# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Pairs of policies of which the papers say which is better, as differences with intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

from example.figures import Figure
from intervals import bootstrap
from summary import Finished
from tasks import Measure

_RETRIEVAL = ("passkey_aware", "passkey_agnostic", "recall")


@dataclass(frozen=True)
class Comparison:
    """`better` and `worse` as the papers have them, over every budget below 100 %."""

    better: str
    worse: str
    tasks: tuple[str, ...]


COMPARISONS = (
    Comparison("dynamickv", "pyramidkv", _RETRIEVAL),
    Comparison("dynamickv", "snapkv", _RETRIEVAL),
    Comparison("snapkv", "streaming_llm", _RETRIEVAL),
    Comparison("snapkv", "sink_window", _RETRIEVAL),
)


def comparisons_of(
    finished: Iterable[Finished], comparisons: Iterable[Comparison] = COMPARISONS
) -> list[Figure]:
    """For each pair that was measured, three figures a task: how much better the first is in the
    mean over samples (share right, or nats a byte less), and the ends of the 95 % bootstrap
    interval. A sample is one seed: the mean over budgets of what both made of the same text.

    They are told, not promised: a model may disagree with a paper.
    """
    known = {(c.line.name, c.task.name, c.budget, c.seed): (c, r) for c, r in finished}
    figures = []
    for one in comparisons:
        for task in one.tasks:
            differences = _differences(known, one, task)
            if not differences:
                continue
            found = bootstrap(differences)
            name = f"{one.better}_over_{one.worse}_{task}"
            figures.append(Figure(name, found.value, "mean difference"))
            figures.append(Figure(f"{name}_low", found.low, "mean difference"))
            figures.append(Figure(f"{name}_high", found.high, "mean difference"))
    return figures


def _differences(
    known: dict[tuple[str, str, float, int], Finished], pair: Comparison, task: str
) -> list[float]:
    """By seed; seeds that lack a budget of another are as good as they are."""
    by_seed: dict[int, list[float]] = {}
    for (name, at_task, budget, seed), (cell, record) in known.items():
        other = known.get((pair.worse, task, budget, seed))
        if (name, at_task) != (pair.better, task) or budget == 1 or other is None:
            continue
        less_is_better = cell.task.measure is Measure.PERPLEXITY
        difference = record.value - other[1].value
        by_seed.setdefault(seed, []).append(-difference if less_is_better else difference)
    return [sum(found) / len(found) for found in by_seed.values()]
