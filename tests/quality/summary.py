# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""From finished cells to the rows of the report."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cells import Cell, Record
from example.figures import Figure, promise
from intervals import Interval, wilson

# As the model's own check: logits of two right implementations agree within this.
LOGIT_TOLERANCE = 1e-3
# Of values, in nats a byte or share right; attention that differs in rounding alone keeps it.
VALUE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Row:
    """One value of the report with its 95 % interval.

    kept_share: tokens kept of those that had come, over all head caches, when Record says.
    held_bytes: what the daemon held for them; 0 without the daemon. Both are means.
    """

    policy: str
    budget: float
    task: str
    value: float
    low: float
    high: float
    samples: int
    kept_share: float
    held_bytes: float


Finished = tuple[Cell, Record]


def rows_of(finished: Iterable[Finished]) -> list[Row]:
    """A row for each policy, budget and task; where something is hidden at a depth, also one for
    each depth, with the task's name as `task@depth`. Then what `full` is compared with: the
    model with attention in this process, and the share of samples in which both are equal."""
    groups: dict[tuple[str, float, str], list[Finished]] = defaultdict(list)
    equal = []
    for cell, record in finished:
        name = cell.task.name
        groups[cell.line.name, cell.budget, name].append((cell, record))
        if cell.task.depth is not None:
            depth = cell.task.depth(cell.seed)
            groups[cell.line.name, cell.budget, f"{name}@{depth}"].append((cell, record))
        if record.in_process_value is not None:
            groups["in_process", 1.0, name].append((cell, record))
            equal.append((cell, record))
    rows = [_row(*where, members) for where, members in groups.items()]
    if equal:
        shares = wilson([float(is_equal(record)) for _, record in equal])
        rows.append(_with_sizes("full", 1.0, "equals_in_process", shares, equal))
    return rows


def is_equal(record: Record) -> bool:
    """Whether a cell of `full` agrees with attention in this process."""
    if record.logit_difference is None or record.in_process_value is None:
        raise ValueError(f"record: {record.key} was not compared with attention in this process")
    value_difference = abs(record.value - record.in_process_value)
    return record.logit_difference <= LOGIT_TOLERANCE and value_difference <= VALUE_TOLERANCE


def _row(policy: str, budget: float, task: str, members: list[Finished]) -> Row:
    measure = members[0][0].task.measure
    if policy != "in_process":
        interval = measure.interval([record.value for _, record in members])
        return _with_sizes(policy, budget, task, interval, members)
    values = [record.in_process_value for _, record in members]
    interval = measure.interval([value for value in values if value is not None])
    return Row(policy, budget, task, *_numbers(interval), len(members), 1.0, 0.0)


def _with_sizes(
    policy: str, budget: float, task: str, interval: Interval, members: list[Finished]
) -> Row:
    count = len(members)
    kept_share = sum(record.kept_tokens / record.length for _, record in members) / count
    held_bytes = sum(record.held_bytes for _, record in members) / count
    return Row(policy, budget, task, *_numbers(interval), count, kept_share, held_bytes)


def _numbers(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def checks_of(finished: Iterable[Finished]) -> list[Figure]:
    """What every run promises: `full` equals the model with attention in this process, and a
    budget of every token equals `full`. A promise without a cell to show it is broken."""
    known = list(finished)
    compared = [record for _, record in known if record.in_process_value is not None]
    differences = [one.logit_difference or 0.0 for one in compared]
    figures = [
        promise("full_equals_in_process", bool(compared) and all(map(is_equal, compared))),
        Figure("full_compared", len(compared), "samples", goal=1, ok=bool(compared)),
        Figure("full_logit_difference", max(differences, default=0.0), "logit, largest"),
    ]
    full = {(c.task.key, c.seed): r.value for c, r in known if c.line.preset == "full"}
    whole: dict[str, list[bool]] = defaultdict(list)
    for cell, record in known:
        if cell.budget == 1 and cell.line.sized and cell.line.lossless_at_full:
            expected = full.get((cell.task.key, cell.seed))
            equal = expected is not None and abs(record.value - expected) <= VALUE_TOLERANCE
            whole[cell.line.name].append(equal)
    for name, found in whole.items():
        figures.append(promise(f"{name}_whole_budget_equals_full", all(found)))
    return figures
