# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The table of a run, and its figures."""

from collections.abc import Sequence

from example.comparison import Comparison
from example.figures import Figure, promise
from example.policies import PolicyRun


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
        promise("full_passkey_found", full.passkey_found),
        promise("full_keeps_all", full.kept_tokens == full.length),
        promise("full_run_equal", full.equal == full.compared),
        Figure("daemon_exit_code", exit_code, "code", goal=0, ok=exit_code == 0),
    ]
    for run in runs:
        name = run.policy.preset
        found.append(Figure(f"{name}_kept_tokens", run.kept_tokens, "tokens a head cache"))
        found.append(Figure(f"{name}_tokens_per_second", run.tokens_per_second, "tokens/s"))
        if run is not full:
            found.append(Figure(f"{name}_passkey_found", float(run.passkey_found), "1: yes, 0: no"))
    for run in others:
        preset = run.policy.preset
        found.append(promise(f"{preset}_frees_memory", run.kv_bytes < full.kv_bytes))
        found.append(Figure(f"{preset}_kv_bytes_of_full", run.kv_bytes / full.kv_bytes, "ratio"))
    found.append(Figure("full_kv_bytes", full.kv_bytes, "bytes"))
    return found
