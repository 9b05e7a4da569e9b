# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Cells and records for tests, without a daemon."""

from cells import Cell, Key, Record
from policies import LINES, PolicyLine
from tasks import SMOKE_SIZES, Task, tasks_of

MODEL_HASH = "0123456789abcdef"


def line(name: str) -> PolicyLine:
    (found,) = [one for one in LINES if one.name == name]
    return found


def task(name: str) -> Task:
    (found,) = [one for one in tasks_of(SMOKE_SIZES) if one.name == name]
    return found


def cell(policy: str, budget: float, task_name: str = "recall", seed: int = 0) -> Cell:
    return Cell(line(policy), budget, task(task_name), seed)


def record(of: Cell, value: float, *, in_process_value: float | None = None) -> Record:
    """Of a sequence of 100 tokens that keeps the budget's share of them at 10 bytes each."""
    return Record(
        key=of.key(MODEL_HASH),
        value=value,
        length=100,
        kept_tokens=100 * of.budget,
        held_bytes=round(1000 * of.budget),
        logit_difference=None if in_process_value is None else 1e-5,
        in_process_value=in_process_value,
    )


def finished(of: Cell, value: float) -> tuple[Cell, Record]:
    """Of `full`: equal to attention in this process."""
    in_process_value = value if of.line.preset == "full" else None
    return of, record(of, value, in_process_value=in_process_value)


def key(seed: int = 0) -> Key:
    return Key(MODEL_HASH, "l2norm(budget_tokens=5)", 0.5, "recall/512", seed)
