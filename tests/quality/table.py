# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The rows of the report as a table to read."""

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
