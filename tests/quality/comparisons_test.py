# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What is said of pairs of policies, from cells of the same texts."""

import pytest
from comparisons import CLAIMS, Claim, Comparison, comparison_table, comparisons_of
from made_cells import cell, finished
from policies import LINES
from summary import Finished
from tasks import SMOKE_SIZES, tasks_of

PAIR = Claim("l2norm", "sink_window", ("recall",))


def pairs(task: str, budget: float, *values: tuple[float, float]) -> list[Finished]:
    """Of l2norm and sink_window, seed by seed."""
    return [
        finished(cell(policy, budget, task, seed), value)
        for seed, both in enumerate(values)
        for policy, value in zip(("l2norm", "sink_window"), both, strict=True)
    ]


def only(comparisons: list[Comparison], task: str, budget: float | None) -> Comparison:
    (found,) = [one for one in comparisons if (one.task, one.budget) == (task, budget)]
    return found


def test_claims_are_about_lines_and_tasks_that_there_are() -> None:
    names = {one.name for one in LINES}
    tasks = {one.name for one in tasks_of(SMOKE_SIZES)}
    for claim in CLAIMS:
        assert {claim.better, claim.worse} <= names
        assert set(claim.tasks) <= tasks


def test_texts_are_compared_one_by_one_at_equal_budgets() -> None:
    known = pairs("recall", 0.1, (0.5, 0.25), (1.0, 0.75)) + pairs("recall", 0.5, (1.0, 0.5))
    found = comparisons_of(known + pairs("recall", 1.0, (0.0, 1.0)), [PAIR])
    assert [one.budget for one in found] == [None, 0.1, 0.5]
    pooled = only(found, "recall", None)
    assert (pooled.value, pooled.samples) == ((0.375 + 0.25) / 2, 2)
    assert (pooled.low, pooled.high) == (0.25, 0.375)
    assert (pooled.holds, pooled.certain) == (True, True)


def test_several_tasks_are_taken_together_and_alone() -> None:
    claim = Claim("l2norm", "sink_window", ("recall", "passkey_aware"))
    known = pairs("recall", 0.1, (1.0, 0.0)) + pairs("passkey_aware", 0.1, (0.0, 1.0))
    found = comparisons_of(known + pairs("stream", 0.1, (0.0, 1.0)), [claim])
    assert {(one.task, one.budget): one.value for one in found} == {
        ("recall+passkey_aware", None): 0.0,
        ("recall+passkey_aware", 0.1): 0.0,
        ("recall", None): 1.0,
        ("passkey_aware", None): -1.0,
    }


def test_less_perplexity_is_better() -> None:
    claim = Claim("l2norm", "sink_window", ("stream",))
    found = only(comparisons_of(pairs("stream", 0.1, (2.0, 1.5)), [claim]), "stream", None)
    assert (found.value, found.holds, found.certain) == (-0.5, False, True)


def test_budgets_that_a_claim_is_not_about_do_not_count() -> None:
    claim = Claim("l2norm", "sink_window", ("recall",), least_budget=0.1, most_budget=0.25)
    known = [
        one for budget in (0.05, 0.1, 0.25, 0.5) for one in pairs("recall", budget, (budget, 0.0))
    ]
    assert [one.budget for one in comparisons_of(known, [claim])] == [None, 0.1, 0.25]


@pytest.mark.parametrize(
    ("strictly", "values", "verdict"),
    [
        (False, [(0.5, 0.5), (0.5, 0.5)], (True, True)),
        (True, [(0.5, 0.5), (0.5, 0.5)], (False, False)),
        (True, [(1.0, 0.5), (1.0, 0.5)], (True, True)),
        (False, [(1.0, 0.0), (0.0, 0.5)], (True, False)),
        (False, [(0.0, 1.0), (0.5, 0.0)], (False, False)),
        (False, [(0.0, 1.0), (0.0, 0.5)], (False, True)),
    ],
)
def test_a_claim_holds_by_its_mean_and_for_certain_by_its_interval(
    strictly: bool, values: list[tuple[float, float]], verdict: tuple[bool, bool]
) -> None:
    claim = Claim("l2norm", "sink_window", ("recall",), strictly)
    found = comparisons_of(pairs("recall", 0.1, *values), [claim])[0]
    assert (found.holds, found.certain) == verdict


def test_a_pair_that_was_not_measured_is_not_there() -> None:
    assert (
        comparisons_of(pairs("recall", 0.1, (1.0, 0.0)), [Claim("h2o", "tova", ("recall",))]) == []
    )
    assert comparisons_of([], [PAIR]) == []


def test_the_table_says_whether_a_claim_holds() -> None:
    lines = comparison_table(comparisons_of(pairs("recall", 0.1, (1.0, 0.0)), [PAIR])).splitlines()
    cells = [part.strip() for part in lines[2].strip("|").split("|")]
    assert cells == ["l2norm over sink_window", "recall", "all", "+1.000 [+1.000, +1.000]", "yes"]
