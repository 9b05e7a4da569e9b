# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The table, and the figures as build/report/run.json."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from example.comparison import Comparison
from example.daemon import REPOSITORY
from example.policies import PolicyRun


@dataclass(frozen=True)
class Figure:
    """One figure. `goal` None: it is only told, and always ok."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    goal: float | None = None
    ok: bool = True


def table(runs: Sequence[PolicyRun]) -> str:
    header = (
        "policy",
        "kept tokens",
        "KV bytes",
        "tokens/s",
        "passkey found",
        "equal to in-process",
    )
    rows = [header, *(_row(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _row(run: PolicyRun) -> tuple[str, ...]:
    equal = "yes" if run.equal == run.compared else f"first {run.equal} of {run.compared}"
    return (
        run.policy.preset,
        f"{run.kept_tokens:.0f} of {run.length}",
        f"{run.kv_bytes:,}".replace(",", " "),
        f"{run.tokens_per_second:.0f}",
        "yes" if run.passkey_found else "no",
        equal,
    )


def figures(
    comparisons: Sequence[Comparison], runs: Sequence[PolicyRun], exit_code: int
) -> list[Figure]:
    """What the run promises, with what it only tells."""
    compared = sum(one.compared for one in comparisons)
    equal = sum(one.equal for one in comparisons)
    full, *others = runs
    found = [
        Figure("full_equal", equal / compared, "share of tokens", 1, 1, equal == compared),
        Figure("full_equal_compared", compared, "tokens"),
        _promise("full_passkey_found", full.passkey_found),
        _promise("full_keeps_all", full.kept_tokens == full.length),
        _promise("full_run_equal", full.equal == full.compared),
        Figure("daemon_exit_code", exit_code, "code", 0, 0, exit_code == 0),
    ]
    for run in runs:
        name = run.policy.preset
        found.append(Figure(f"{name}_kept_tokens", run.kept_tokens, "tokens a head cache"))
        found.append(Figure(f"{name}_tokens_per_second", run.tokens_per_second, "tokens/s"))
        if run is not full:
            found.append(
                Figure(f"{name}_passkey_found", float(run.passkey_found), "1: yes, 0: no")
            )
    for run in others:
        share = run.kv_bytes / full.kv_bytes
        found.append(
            Figure(f"{run.policy.preset}_kv_bytes_of_full", share, "ratio", 1, 1, share < 1)
        )
    found.append(Figure("full_kv_bytes", full.kv_bytes, "bytes"))
    return found


def write(rows: Sequence[Figure]) -> Path:
    """Writes run.json into SLUICE_REPORT_DIR, or build/report without it."""
    folder = Path(os.environ.get("SLUICE_REPORT_DIR", REPOSITORY / "build" / "report"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return path


def _promise(name: str, kept: bool) -> Figure:
    return Figure(name, float(kept), "1: yes, 0: no", 1, 1, kept)
