# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A run that was cut short measures the rest alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from cell_store import CellStore
from cells import Cell, Record, cells_of
from made_cells import MODEL_HASH, line, record, task
from run_quality import finished_of, measure_all

CELLS = cells_of([line("full"), line("l2norm")], [0.1, 1.0], [task("recall")], 3)
SEEDS_CELLS = len(CELLS) // 3


class ScriptedMeasuring:
    """Counts what it is asked to measure and is interrupted before a chosen cell, with whatever
    goes in step with it."""

    model_hash = MODEL_HASH

    def __init__(self, interrupted_at: int | None = None) -> None:
        self.measured: list[Cell] = []
        self._interrupted_at = interrupted_at

    def measure(self, cells: Sequence[Cell]) -> list[Record]:
        finished = len(self.measured)
        if self._interrupted_at is not None and self._interrupted_at < finished + len(cells):
            raise KeyboardInterrupt
        self.measured += cells
        return [record(cell, 0.5) for cell in cells]


def run(path: Path, measuring: ScriptedMeasuring) -> tuple[bool, int]:
    """Whether all is finished, and how many cells are."""
    with CellStore(path, "daemon") as store:
        complete = measure_all(measuring, store, CELLS)
        return complete, len(list(finished_of(measuring, store, CELLS)))


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    measuring = ScriptedMeasuring(interrupted_at=4)
    assert run(tmp_path / "cells.jsonl", measuring) == (False, SEEDS_CELLS)
    assert measuring.measured == CELLS[:SEEDS_CELLS]


def test_the_next_run_measures_the_rest_alone(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    run(path, ScriptedMeasuring(interrupted_at=4))
    second = ScriptedMeasuring()
    assert run(path, second) == (True, len(CELLS))
    assert second.measured == CELLS[SEEDS_CELLS:]


def test_a_finished_run_measures_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "cells.jsonl"
    run(path, ScriptedMeasuring())
    third = ScriptedMeasuring(interrupted_at=0)
    assert run(path, third) == (True, len(CELLS))
    assert third.measured == []
    assert f"{len(CELLS)} cells, {len(CELLS)} of them finished" in capsys.readouterr().err
