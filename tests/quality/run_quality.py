# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Measures what every policy costs in quality, through the daemon.

  SLUICED=build/default/daemon/sluiced .venv/bin/python tests/quality/run_quality.py [--help]

Finished cells are kept in build/quality/cells.jsonl: a run that is cut short goes on where it was.
Writes quality.json (the rows), quality_checks.json (the promises), quality_comparisons.json (what
the papers say of pairs), quality.md, quality.txt and quality_*.svg into SLUICE_REPORT_DIR, or
build/report without it. Exits with 1 when a promise is broken, 2 when
it could not run, 130 when it was interrupted; what had been measured by then is reported.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import sluice
from cell_store import CellStore, StoreError
from cells import Cell, cells_of, groups_of
from example.daemon import REPOSITORY, DaemonError, find_binary
from measuring import SEQUENCES_A_STEP, Measuring, client_of, file_hash, started_daemon
from policies import PolicyLine, lines_for
from progress import Progress, duration, say
from report import report
from summary import Finished
from table import percent
from tasks import FULL_SIZES, Task, tasks_of

BUDGETS = (0.01, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0)
SAMPLES = 30

Named = TypeVar("Named", PolicyLine, Task)


class ArgumentError(ValueError):
    """What was asked for is not there, or the daemon refuses it."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    tasks = _chosen("tasks", options.tasks, tasks_of(FULL_SIZES))
    binary = find_binary()
    with (
        CellStore(options.store, file_hash(binary), any_daemon=options.any_daemon) as store,
        started_daemon(binary) as daemon,
        client_of(daemon) as client,
    ):
        if store.of_other_daemons:
            say(f"{store.of_other_daemons} cells of other builds not used (see --any-daemon)")
        # Nothing can be compared without it.
        chosen = options.policies and list(dict.fromkeys(["full", *options.policies]))
        lines = _chosen("policies", chosen, lines_for(client.capabilities().presets))
        cells = cells_of(lines, options.budgets, tasks, options.samples)
        measuring = Measuring(client)
        try:
            _check_policies(measuring, lines, tasks, options.budgets)
            complete = measure_all(measuring, store, cells)
        except sluice.SluiceError as error:
            raise DaemonError(f"{error}\n{daemon.log_tail()}") from error
        finished = list(finished_of(measuring, store, cells))
        measuring.close()
    kept = report(finished, tasks)
    if not complete:
        return 130
    return 0 if kept else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [name for name in text.split(",") if name]

    def shares(text: str) -> list[float]:
        found = [float(one) for one in names(text)]
        if not found or not all(0 < one <= 1 for one in found):
            raise argparse.ArgumentTypeError(f"{text}; must be shares in (0, 1]")
        return found

    def positive(text: str) -> int:
        if int(text) < 1:
            raise argparse.ArgumentTypeError(f"{text}; must be at least 1")
        return int(text)

    parser = argparse.ArgumentParser(prog="run_quality.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--policies", type=names, help="names with commas between; default all")
    parser.add_argument("--tasks", type=names, help="names with commas between; default all")
    parser.add_argument("--budgets", type=shares, default=list(BUDGETS), help="shares, 1: all")
    parser.add_argument("--samples", type=positive, default=SAMPLES, help="of every cell")
    parser.add_argument("--any-daemon", action="store_true", help="use cells of other builds too")
    parser.add_argument("--store", type=Path, default=REPOSITORY / "build/quality/cells.jsonl")
    return parser.parse_args(arguments)


def _chosen(what: str, names: Sequence[str] | None, known: Sequence[Named]) -> list[Named]:
    """All of them where no names are given. Raises ArgumentError."""
    by_name = {one.name: one for one in known}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        raise ArgumentError(f"{what}: {', '.join(unknown)}; known: {', '.join(by_name)}")
    return list(known) if not names else [by_name[name] for name in names]


def _check_policies(
    measuring: Measuring,
    lines: Sequence[PolicyLine],
    tasks: Sequence[Task],
    budgets: Sequence[float],
) -> None:
    """Before anything is measured, so that no run ends after an hour at a policy that the daemon
    refuses. Raises ArgumentError."""
    for cell in cells_of(lines, budgets, tasks, 1):
        policy = cell.policy(cell.task.script(cell.seed))
        try:
            measuring.check_policy(policy)
        except sluice.InvalidArgument as error:
            where = f"{cell.line.name} at {percent(cell.budget)} for {cell.task.name}"
            raise ArgumentError(f"{where}: the daemon refuses {policy}: {error}") from error


def measure_all(measuring: Measuring, store: CellStore, cells: Sequence[Cell]) -> bool:
    """Whether all cells are finished now, and not interrupted."""
    left = [cell for cell in cells if store.find(cell.key(measuring.model_hash)) is None]
    say(f"{len(cells)} cells, {len(cells) - len(left)} of them finished already in {store.path}")
    progress = Progress(len(left))
    try:
        for group in groups_of(left, SEQUENCES_A_STEP):
            for cell, record in zip(group, measuring.measure(group), strict=True):
                store.add(record)
                progress.advance(f"{cell.task.name}, {cell.line.name} at {percent(cell.budget)}")
    except KeyboardInterrupt:
        say("interrupted; run it again to go on")
        return False
    if left:
        say(f"measured in {duration(progress.elapsed_s)}")
    return True


def finished_of(
    measuring: Measuring, store: CellStore, cells: Sequence[Cell]
) -> Iterator[Finished]:
    for cell in cells:
        record = store.find(cell.key(measuring.model_hash))
        if record is not None:
            yield cell, record


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ArgumentError, DaemonError, StoreError) as failure:
        say(str(failure))
        sys.exit(2)
