# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The files and the table that a run leaves."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from comparisons import comparison_table, comparisons_of
from example import figures
from plots import draw
from progress import say
from summary import Finished, checks_of, rows_of
from table import compact, table
from tasks import Task


def report(finished: Sequence[Finished], tasks: Sequence[Task]) -> bool:
    """Writes everything; the table also to stdout. Whether every promise is kept."""
    rows = rows_of(finished)
    checks = checks_of(finished)
    comparisons = comparisons_of(finished)
    folder = figures.write("quality_checks.json", checks).parent
    for name, found in (("quality", rows), ("quality_comparisons", comparisons)):
        listed = json.dumps([asdict(one) for one in found], indent=2)
        (folder / f"{name}.json").write_text(listed + "\n")
    text = table(rows, tasks)
    if comparisons:
        text += f"\n\n{comparison_table(comparisons)}"
    (folder / "quality.md").write_text(text + "\n")
    (folder / "quality.txt").write_text(compact(rows, tasks) + "\n")
    pictures = draw(rows, tasks, folder)
    print(text)
    print("95 % intervals: bootstrap over samples (perplexity, differences), Wilson (share right)")
    print(f"{folder / 'quality.json'} and {len(pictures)} pictures beside it", flush=True)
    broken = [check.name for check in checks if not check.ok]
    for name in broken:
        say(f"broken promise: {name}")
    return not broken
