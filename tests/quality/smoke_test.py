# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A few cells of every policy and task against a real daemon, and what must hold of them."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cells import cells_of, groups_of
from measuring import SEQUENCES_A_STEP, Measuring, client_of, started_daemon
from policies import lines_for
from summary import Finished, checks_of, is_equal
from tasks import SMOKE_SIZES, Measure, tasks_of

BUDGETS = (0.1, 0.5, 1.0)
TASKS = tasks_of(SMOKE_SIZES)


@dataclass(frozen=True)
class Smoke:
    presets: list[str]
    finished: list[Finished]


@pytest.fixture(scope="module")
def smoke() -> Iterator[Smoke]:
    with started_daemon() as daemon:
        with client_of(daemon) as client:
            presets = client.capabilities().presets
            measuring = Measuring(client)
            cells = cells_of(lines_for(presets), BUDGETS, TASKS, 1)
            finished = [
                one
                for group in groups_of(cells, SEQUENCES_A_STEP)
                for one in zip(group, measuring.measure(group), strict=True)
            ]
            measuring.close()
        yield Smoke([preset.policy.preset for preset in presets], finished)
        assert daemon.stop() == 0, daemon.log_tail()


def test_every_preset_is_measured_on_every_task(smoke: Smoke) -> None:
    known = {"full", "sink_window", "l2norm", "snapkv", "pyramidkv", "adakv", "dynamickv"}
    assert known | {"h2o", "tova", "cascade", "streaming_llm"} <= set(smoke.presets)
    measured = {(cell.line.preset, cell.task.name) for cell, _ in smoke.finished}
    assert measured == {(preset, task.name) for preset in smoke.presets for task in TASKS}


def test_full_equals_attention_in_this_process(smoke: Smoke) -> None:
    compared = [record for cell, record in smoke.finished if cell.line.preset == "full"]
    assert len(compared) == len(TASKS)
    assert [record for record in compared if not is_equal(record)] == []


def test_full_answers_and_foretells_as_the_model_can(smoke: Smoke) -> None:
    for cell, record in smoke.finished:
        if cell.line.preset == "full":
            if cell.task.measure is Measure.SHARE_RIGHT:
                assert record.value == 1.0, cell.task.name
            else:
                assert 0 < record.value < 1.6, cell.task.name


def test_a_whole_budget_of_every_policy_equals_full(smoke: Smoke) -> None:
    promised = [check for check in checks_of(smoke.finished) if "whole_budget" in check.name]
    lossless = {
        cell.line.name
        for cell, _ in smoke.finished
        if cell.line.sized and cell.line.lossless_at_full
    }
    assert {check.name.removesuffix("_whole_budget_equals_full") for check in promised} == lossless
    assert [check.name for check in promised if not check.ok] == []


def test_tighter_budgets_hold_fewer_bytes_and_tokens(smoke: Smoke) -> None:
    held = defaultdict(list)
    for cell, record in smoke.finished:
        if cell.line.sized:
            sizes = (record.held_bytes, record.kept_tokens)
            held[cell.line.name, cell.task.name].append((cell.budget, *sizes))
    for where, found in held.items():
        budgets, held_bytes, kept_tokens = zip(*sorted(found), strict=True)
        assert budgets == BUDGETS
        assert held_bytes[0] < held_bytes[1] < held_bytes[2], where
        assert kept_tokens[0] < kept_tokens[1] < kept_tokens[2], where


def test_what_a_window_has_dropped_is_not_found(smoke: Smoke) -> None:
    """Seed 0 hides the pass key at a tenth of the text, before every window but the whole one."""
    for cell, record in smoke.finished:
        if cell.line.name == "sink_window" and cell.task.name.startswith("passkey"):
            assert record.value == float(cell.budget == 1), (cell.task.name, cell.budget)


def test_the_command_reports_and_goes_on_where_it_was(tmp_path: Path) -> None:
    store = tmp_path / "cells.jsonl"
    script = Path(__file__).parent / "run_quality.py"
    options = ["--policies=sink_window", "--tasks=passkey_agnostic", "--budgets=0.25,1"]
    command = [sys.executable, str(script), *options, "--samples=2", f"--store={store}"]
    environment = {**os.environ, "SLUICE_REPORT_DIR": str(tmp_path)}

    def run() -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rows = json.loads((tmp_path / "quality.json").read_text())
        found = {(row["policy"], row["budget"]): row for row in rows if "@" not in row["task"]}
        assert found["sink_window", 0.25]["samples"] == 2
        assert found["sink_window", 1.0]["value"] == found["full", 1.0]["value"] == 1.0
        return done.stderr

    assert "6 cells, 0 of them finished" in run()
    whole = store.read_text()
    store.write_text("".join(whole.splitlines(keepends=True)[:4]))
    assert "6 cells, 4 of them finished" in run()
    assert store.read_text() == whole


@pytest.mark.parametrize(
    ("option", "message"),
    [("--policies=unheard_of", "unheard_of; known: full"), ("--tasks=x", "tasks: x; known: ")],
)
def test_what_is_not_known_is_refused_by_name(tmp_path: Path, option: str, message: str) -> None:
    script = Path(__file__).parent / "run_quality.py"
    command = [sys.executable, str(script), option, f"--store={tmp_path}/cells.jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
