# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Finished cells outlive the run that measured them."""

from pathlib import Path

import pytest
from cell_store import CellStore, StoreError
from cells import Record
from made_cells import key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "cells.jsonl"


def made(seed: int, value: float = 0.25) -> Record:
    return Record(key(seed), value, length=100, kept_tokens=10.5, held_bytes=4096)


def fill(path: Path, *records: Record, daemon: str = "daemon a") -> None:
    with CellStore(path, daemon) as store:
        for record in records:
            store.add(record)


def test_cells_are_found_by_every_part_of_their_key(path: Path) -> None:
    fill(path, made(0), made(1, value=0.75))
    with CellStore(path, "daemon a") as store:
        assert store.find(key(0)) == made(0)
        assert store.find(key(1)) == made(1, value=0.75)
        assert store.find(key(2)) is None
        for part in ("model", "policy", "task"):
            assert store.find(type(key())(**{**vars(key(0)), part: "another"})) is None
        assert store.find(type(key())(**{**vars(key(0)), "budget": 0.25})) is None


def test_a_cell_is_in_the_file_as_soon_as_it_is_added(path: Path) -> None:
    with CellStore(path, "daemon a") as store:
        store.add(made(0))
        assert path.read_text().count("\n") == 1


def test_a_line_that_was_cut_short_is_measured_again(path: Path) -> None:
    fill(path, made(0), made(1))
    path.write_bytes(path.read_bytes()[:-20])
    with CellStore(path, "daemon a") as store:
        assert store.find(key(0)) is not None
        assert store.find(key(1)) is None
        store.add(made(1))
    with CellStore(path, "daemon a") as store:
        assert store.find(key(1)) == made(1)


def test_a_later_line_wins(path: Path) -> None:
    fill(path, made(0), made(0, value=0.5))
    with CellStore(path, "daemon a") as store:
        assert store.find(key(0)) == made(0, value=0.5)


def test_cells_of_another_daemon_are_used_only_when_asked_for(path: Path) -> None:
    fill(path, made(0))
    with CellStore(path, "daemon b") as store:
        assert (store.find(key(0)), store.of_other_daemons) == (None, 1)
    with CellStore(path, "daemon b", any_daemon=True) as store:
        assert (store.find(key(0)), store.of_other_daemons) == (made(0), 0)
    with CellStore(path, "daemon a") as store:
        assert store.find(key(0)) == made(0)


def test_two_runs_do_not_write_one_file(path: Path) -> None:
    with CellStore(path, "daemon a"), pytest.raises(StoreError, match="another run"):
        CellStore(path, "daemon a")
    with CellStore(path, "daemon a") as store:
        assert store.find(key(0)) is None


@pytest.mark.parametrize("line", ["no json", "[]", '{"daemon": "a"}', '{"daemon": "a", "key": 1}'])
def test_what_no_run_has_written_is_refused_and_left_alone(path: Path, line: str) -> None:
    fill(path, made(0))
    content = path.read_text() + line + "\n"
    path.write_text(content)
    with pytest.raises(StoreError, match=r"cells\.jsonl:2"):
        CellStore(path, "daemon a")
    assert path.read_text() == content
