# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The files and the table that a run leaves."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from comparisons import comparisons_of
from example import figures
from plots import draw
from progress import say
from summary import Finished, checks_of, rows_of
from table import table
from tasks import Task


def report(finished: Sequence[Finished], tasks: Sequence[Task]) -> bool:
    """Writes everything; the table also to stdout. Whether every promise is kept."""
    rows = rows_of(finished)
    checks = checks_of(finished) + comparisons_of(finished)
    folder = figures.write("quality_checks.json", checks).parent
    listed = json.dumps([asdict(row) for row in rows], indent=2)
    (folder / "quality.json").write_text(listed + "\n")
    text = table(rows, tasks)
    (folder / "quality.md").write_text(text + "\n")
    pictures = draw(rows, tasks, folder)
    print(text)
    print("95 % intervals: bootstrap over samples (perplexity), Wilson (share right)")
    print(f"{folder / 'quality.json'} and {len(pictures)} pictures beside it", flush=True)
    broken = [check.name for check in checks if not check.ok]
    for name in broken:
        say(f"broken promise: {name}")
    return not broken
