# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The cells of a run: one sample of one task under one policy with one budget."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

import sluice
from policies import PolicyLine, described
from script import Script
from tasks import Task


@dataclass(frozen=True)
class Key:
    """What a result belongs to; equal keys are the same measurement.

    model: hash of the weights. policy: the preset with all its parameters. task: with its sizes.
    """

    model: str
    policy: str
    budget: float
    task: str
    seed: int


@dataclass(frozen=True)
class Record:
    """A finished cell.

    value: as the task's measure counts it. kept_tokens: the mean over head caches, of `length`
    tokens: after what the policy does at the prompt's end; at the sample's end where it acts all
    the while. logit_difference and in_process_value are of `full` alone: the largest
    difference to the logits of attention in this process, and the value with those.
    """

    key: Key
    value: float
    length: int
    kept_tokens: float
    held_bytes: int
    logit_difference: float | None = None
    in_process_value: float | None = None


@dataclass(frozen=True)
class Cell:
    """Work to do."""

    line: PolicyLine
    budget: float
    task: Task
    seed: int

    def policy(self, script: Script) -> sluice.Policy:
        budget_tokens = self.task.budget_tokens(self.budget, script)
        return self.line.policy(budget_tokens, self.task.triggers())

    def key(self, model: str) -> Key:
        policy = described(self.policy(self.task.script(self.seed)))
        return Key(model, policy, self.budget, self.task.key, self.seed)


def cells_of(
    lines: Sequence[PolicyLine], budgets: Sequence[float], tasks: Sequence[Task], seeds: int
) -> list[Cell]:
    """Seed by seed, so that a run that is cut short has some samples of everything."""
    return [
        Cell(line, budget, task, seed)
        for seed in range(seeds)
        for task in tasks
        for line in lines
        for budget in (budgets if line.sized else (1.0,))
    ]


def groups_of(cells: Iterable[Cell], most: int) -> Iterator[list[Cell]]:
    """Neighbours of one task and seed, which read the same tokens, at most so many together."""
    for _, same in groupby(cells, lambda cell: (cell.task.key, cell.seed)):
        whole = list(same)
        yield from (whole[at : at + most] for at in range(0, len(whole), most))


def record_to_json(record: Record) -> dict[str, object]:
    return asdict(record)


def record_from_json(values: dict[str, object]) -> Record:
    """Raises TypeError or KeyError for what is no record."""
    fields = dict(values)
    key = fields.pop("key")
    if not isinstance(key, dict):
        raise TypeError(f"key: {key!r}; must be an object")
    return Record(Key(**key), **fields)  # type: ignore[arg-type]
