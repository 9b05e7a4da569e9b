# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The rows and promises that finished cells come to."""

import dataclasses
import math

import pytest
from cells import Record
from example.figures import Figure
from intervals import wilson
from made_cells import cell, finished, record
from summary import LOGIT_TOLERANCE, Row, checks_of, is_equal, rows_of


def row(rows: list[Row], policy: str, budget: float, task: str) -> Row:
    (found,) = [one for one in rows if (one.policy, one.budget, one.task) == (policy, budget, task)]
    return found


def ok(figures: list[Figure]) -> dict[str, bool]:
    return {figure.name: figure.ok for figure in figures}


def test_shares_are_counted_with_wilsons_interval() -> None:
    samples = [finished(cell("l2norm", 0.5, seed=seed), float(seed < 3)) for seed in range(10)]
    found = row(rows_of(samples), "l2norm", 0.5, "recall")
    expected = wilson([1.0] * 3 + [0.0] * 7)
    assert (found.value, found.low, found.high) == (0.3, expected.low, expected.high)
    assert (found.samples, found.kept_share, found.held_bytes) == (10, 0.5, 500)


def test_perplexity_is_the_exponential_of_mean_nats() -> None:
    samples = [
        finished(cell("l2norm", 0.5, "stream", seed), nats) for seed, nats in enumerate([1.0, 2.0])
    ]
    found = row(rows_of(samples), "l2norm", 0.5, "stream")
    assert found.value == pytest.approx(math.exp(1.5))
    assert (found.low, found.high) == (pytest.approx(math.e), pytest.approx(math.exp(2)))


def test_what_is_hidden_at_a_depth_has_rows_by_depth() -> None:
    samples = [finished(cell("l2norm", 0.5, "passkey_aware", s), s % 5 == 1) for s in range(10)]
    rows = rows_of(samples)
    assert row(rows, "l2norm", 0.5, "passkey_aware").value == 0.2
    found = {one.task: (one.value, one.samples) for one in rows if "@" in one.task}
    assert found == {
        f"passkey_aware@{depth}": (float(depth == 0.3), 2) for depth in (0.1, 0.3, 0.5, 0.7, 0.9)
    }


def test_full_is_shown_beside_attention_in_this_process() -> None:
    good, bad = cell("full", 1.0, seed=0), cell("full", 1.0, seed=1)
    rows = rows_of([finished(good, 1.0), (bad, record(bad, 1.0, in_process_value=0.5))])
    assert row(rows, "full", 1.0, "recall").value == 1.0
    assert row(rows, "in_process", 1.0, "recall").value == 0.75
    equal = row(rows, "full", 1.0, "equals_in_process")
    assert (equal.value, equal.samples) == (0.5, 2)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"logit_difference": 1.1 * LOGIT_TOLERANCE}, False),
        ({"logit_difference": float("nan")}, False),
        ({"in_process_value": 0.75}, False),
        ({"value": float("nan")}, False),
    ],
)
def test_equal_means_logits_and_value(changed: dict[str, float], expected: bool) -> None:
    made: Record = record(cell("full", 1.0), 1.0, in_process_value=1.0)
    assert is_equal(dataclasses.replace(made, **changed)) == expected


def test_promises_hold_when_everything_agrees() -> None:
    known = [finished(cell(policy, 1.0), 0.5) for policy in ("full", "l2norm", "sink_window")]
    assert all(ok(checks_of(known)).values())


def test_a_whole_budget_that_differs_from_full_breaks_its_promise() -> None:
    known = [finished(cell("full", 1.0), 0.5), finished(cell("l2norm", 1.0), 0.75)]
    found = ok(checks_of(known))
    assert (found["l2norm_whole_budget_equals_full"], found["full_equals_in_process"]) == (
        False,
        True,
    )


def test_a_promise_without_a_cell_to_show_it_is_broken() -> None:
    found = ok(checks_of([finished(cell("l2norm", 1.0), 0.5)]))
    assert found == {
        "full_equals_in_process": False,
        "full_compared": False,
        "full_logit_difference": True,
        "l2norm_whole_budget_equals_full": False,
    }
