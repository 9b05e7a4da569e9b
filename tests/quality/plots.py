# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The rows of the report as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter
from summary import Row
from table import percent
from tasks import Measure, Task

# The same rows give the same file.
matplotlib.rcParams["svg.hashsalt"] = "sluice"
_METADATA = {"Date": None}
_MARKERS = "osv^D<>pPX*hd"


def draw(rows: Sequence[Row], tasks: Sequence[Task], folder: Path) -> list[Path]:
    """One SVG a task: value over budget, a line with intervals for each policy; and one for each
    task that hides something at a depth: a map of depth and budget for each policy."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for task in tasks:
        if of_task := [row for row in rows if row.task == task.name]:
            paths.append(_save(_over_budgets(of_task, task), folder / f"quality_{task.name}.svg"))
        at_depths = [row for row in rows if row.task.startswith(f"{task.name}@")]
        if at_depths:
            path = folder / f"quality_{task.name}_depths.svg"
            paths.append(_save(_depth_maps(at_depths, task), path))
    return paths


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata=_METADATA)
    return path


def _over_budgets(rows: Sequence[Row], task: Task) -> Figure:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    policies = list(dict.fromkeys(row.policy for row in rows if row.policy != "in_process"))
    for number, policy in enumerate(policies):
        line = sorted((row for row in rows if row.policy == policy), key=lambda row: row.budget)
        if policy == "full":
            axes.axhline(line[0].value, color="black", linestyle="--", linewidth=1, label="full")
            continue
        below = [max(0.0, row.value - row.low) for row in line]
        above = [max(0.0, row.high - row.value) for row in line]
        axes.errorbar(
            [row.budget for row in line],
            [row.value for row in line],
            yerr=[below, above],
            label=policy,
            marker=_MARKERS[number % len(_MARKERS)],
            capsize=2,
            linewidth=1,
        )
    budgets = sorted({row.budget for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(budgets, [percent(budget) for budget in budgets])
    axes.minorticks_off()
    if task.measure is Measure.PERPLEXITY:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="budget, share of the tokens", ylabel=task.measure.value, title=task.name)
    axes.legend(fontsize="small")
    return figure


def _depth_maps(rows: Sequence[Row], task: Task) -> Figure:
    policies = list(dict.fromkeys(row.policy for row in rows))
    columns = min(4, len(policies))
    lines = -(-len(policies) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.8 * lines), layout="constrained")
    image: Any = None
    for number, policy in enumerate(policies):
        axes = figure.add_subplot(lines, columns, number + 1)
        image = _depth_map(axes, [row for row in rows if row.policy == policy])
        axes.set_title(policy, fontsize="medium")
    figure.suptitle(f"{task.name}: {task.measure.value}, by budget (across) and depth (down)")
    figure.colorbar(image, ax=figure.axes)
    return figure


def _depth_map(axes: Axes, rows: Sequence[Row]) -> Any:
    depths = sorted({row.task.rpartition("@")[2] for row in rows}, key=float)
    budgets = sorted({row.budget for row in rows})
    known = {(row.task.rpartition("@")[2], row.budget): row.value for row in rows}
    missing = float("nan")
    grid = [[known.get((depth, budget), missing) for budget in budgets] for depth in depths]
    labels = [percent(one) for one in budgets]
    axes.set_xticks(range(len(budgets)), labels, fontsize="x-small", rotation=45)
    axes.set_yticks(range(len(depths)), depths, fontsize="x-small")
    return axes.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
