# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The rows of the report as tables to read."""

from collections.abc import Iterable, Sequence

from summary import Row
from tasks import Task


def table(rows: Iterable[Row], tasks: Sequence[Task]) -> str:
    """Markdown: a line for each policy and budget, a column for each task.

    Of perplexity less is better, of shares more. `kept` and `MiB` are means over the tasks.
    """
    by_place: dict[tuple[str, float], dict[str, Row]] = {}
    for row in rows:
        by_place.setdefault((row.policy, row.budget), {})[row.task] = row
    lines = [["policy", "budget", "kept", "MiB", *map(_heading, tasks)]]
    for (policy, budget), found in by_place.items():
        shown = [found[task.name] for task in tasks if task.name in found]
        if shown:
            cells = [_cell(found.get(task.name)) for task in tasks]
            lines.append([policy, percent(budget), _kept(shown), _held(shown), *cells])
    return ruled(lines)


def compact(rows: Iterable[Row], tasks: Sequence[Task]) -> str:
    """Text: a block for each task, a line for each policy, a column for each budget that evicts.
    A cell is a value and its interval; the heading has that of `full`. n: the samples of a line's
    cells, at least."""
    known = list(rows)
    of_tasks = [[row for row in known if row.task == task.name] for task in tasks]
    return "\n\n".join(map(_block, of_tasks, tasks))


def _block(rows: Sequence[Row], task: Task) -> str:
    full = [row for row in rows if row.policy == "full"]
    sized = [row for row in rows if row.policy not in ("full", "in_process") and row.budget < 1]
    budgets = sorted({row.budget for row in sized})
    found = {(row.policy, row.budget): row for row in sized}
    lines = [["", "n", *map(percent, budgets)]]
    for policy in dict.fromkeys(row.policy for row in sized):
        samples = min(row.samples for row in sized if row.policy == policy)
        values = [_short(found.get((policy, budget))) for budget in budgets]
        lines.append([policy, str(samples), *values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    of_full = f"; full: {_short(full[0])}" if full else ""
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([f"{_heading(task)}{of_full}", *shown])


def _short(row: Row | None) -> str:
    return "" if row is None else f"{row.value:.2f} {row.low:.2f}-{row.high:.2f}"


def ruled(lines: Sequence[Sequence[str]]) -> str:
    """Markdown of lines of cells, the heading first."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in shown)


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _heading(task: Task) -> str:
    return f"{task.name} ({task.measure.value})"


def _kept(shown: Sequence[Row]) -> str:
    return percent(sum(row.kept_share for row in shown) / len(shown))


def _held(shown: Sequence[Row]) -> str:
    return f"{sum(row.held_bytes for row in shown) / len(shown) / (1 << 20):.1f}"


def _cell(row: Row | None) -> str:
    return "" if row is None else f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}]"
