# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a run leaves to read."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_cells import cell, finished
from report import report
from summary import Finished, rows_of
from table import compact, table
from tasks import SMOKE_SIZES, Task, tasks_of

TASKS = tasks_of(SMOKE_SIZES)


def made(whole_budget_value: float, tasks: Sequence[Task] = TASKS) -> list[Finished]:
    values = {("full", 1.0): 0.5, ("l2norm", 0.1): 0.25, ("l2norm", 1.0): whole_budget_value}
    return [
        finished(cell(policy, budget, task.name, seed), value)
        for (policy, budget), value in values.items()
        for task in tasks
        for seed in range(2)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_REPORT_DIR", str(tmp_path))
    return tmp_path


def test_a_kept_promise_leaves_all_files(folder: Path) -> None:
    assert report(made(0.5), TASKS)
    assert (folder / "quality.md").read_text() == table(rows_of(made(0.5)), TASKS) + "\n"
    rows = json.loads((folder / "quality.json").read_text())
    keys = {"policy", "budget", "task", "value", "low", "high", "samples"}
    assert all(keys <= set(row) for row in rows)
    pooled = [row for row in rows if "@" not in row["task"]]
    assert len(pooled) == len(TASKS) * 4 + 1
    pictures = sorted(path.name for path in folder.glob("*.svg"))
    depths = [f"quality_{name}_depths.svg" for name in ("passkey_aware", "passkey_agnostic")]
    assert pictures == sorted([f"quality_{task.name}.svg" for task in TASKS] + depths)


def test_a_broken_promise_is_named(folder: Path, capsys: pytest.CaptureFixture) -> None:
    recall = TASKS[-1:]
    assert not report(made(0.75, recall), recall)
    assert "broken promise: l2norm_whole_budget_equals_full" in capsys.readouterr().err
    checks = json.loads((folder / "quality_checks.json").read_text())
    assert [one["name"] for one in checks if not one["ok"]] == ["l2norm_whole_budget_equals_full"]


def test_what_the_papers_say_is_reported_and_breaks_nothing(folder: Path) -> None:
    values = {("full", 1.0): 1.0, ("dynamickv", 0.1): 0.0, ("pyramidkv", 0.1): 1.0}
    known = [finished(cell(*at, "recall", 0), value) for at, value in values.items()]
    assert report(known, TASKS[-1:])
    (pooled, at_budget, _) = json.loads((folder / "quality_comparisons.json").read_text())
    assert (pooled["better"], pooled["worse"], pooled["holds"]) == ("dynamickv", "pyramidkv", False)
    assert at_budget["budget"] == 0.1
    assert "| dynamickv over pyramidkv |" in (folder / "quality.md").read_text()


def test_the_table_has_a_line_for_each_policy_and_budget() -> None:
    lines = table(rows_of(made(0.5)), TASKS).splitlines()
    cells = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    assert cells[0][:2] == ["policy", "budget"]
    assert [line[:3] for line in cells[2:]] == [
        ["full", "100 %", "100 %"],
        ["in_process", "100 %", "100 %"],
        ["l2norm", "10 %", "10 %"],
        ["l2norm", "100 %", "100 %"],
    ]
    assert cells[4][cells[0].index("stream (perplexity a byte)")].startswith(
        f"{math.exp(0.25):.2f} ["
    )


def test_the_compact_table_has_a_block_for_each_task() -> None:
    blocks = compact(rows_of(made(0.5)), TASKS).split("\n\n")
    assert [block.split()[0] for block in blocks] == [task.name for task in TASKS]
    assert blocks[-1].splitlines() == [
        "recall (share right); full: 0.50 0.09-0.91",
        "        n  10 %",
        "l2norm  2  0.25 0.03-0.80",
    ]


def test_pictures_name_the_policies_and_are_the_same_for_the_same_rows(folder: Path) -> None:
    recall = TASKS[-1:]
    report(made(0.5, recall), recall)
    first = (folder / "quality_recall.svg").read_bytes()
    report(made(0.5, recall), recall)
    assert (folder / "quality_recall.svg").read_bytes() == first
    assert ElementTree.fromstring(first).tag.endswith("svg")
    for name in (b"full", b"l2norm"):
        assert b"<!-- " + name + b" -->" in first
