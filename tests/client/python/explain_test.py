# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The picture of what a sequence keeps, without a daemon."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sluice
from matplotlib.image import imread
from sluice.explain import KeptMap, heat_map
from sluice.kept_picture import MAX_COLUMNS, columns, draw


def make_map(layers: int, heads: int, length: int, *, scored: bool = False) -> KeptMap:
    kept = np.zeros((layers * heads, length), np.bool_)
    kept[:, ::3] = True
    scores = np.where(kept, np.arange(length, dtype=np.float32), np.float32(np.nan))
    return KeptMap(
        sequence_id=7,
        preset="l2norm",
        length=length,
        layers=np.repeat(np.arange(layers, dtype=np.int32), heads),
        kv_heads=np.tile(np.arange(heads, dtype=np.int32), layers),
        kept=kept,
        scores=scores if scored else None,
    )


def test_runs_of_positions_share_a_column() -> None:
    nan = np.nan
    values = np.array([[1, nan, 2, 4, 8], [nan, nan, nan, nan, 1]], np.float32)
    sums, counts = columns(values, 3)
    np.testing.assert_array_equal(sums, [[1, 6, 8], [0, 0, 1]])
    np.testing.assert_array_equal(counts, [[1, 2, 1], [0, 0, 1]])
    assert columns(values, 5)[0].shape == (2, 5)
    assert columns(np.zeros((2, 4001)), MAX_COLUMNS)[0].shape == (2, 1334)
    assert columns(np.zeros((2, 0)), 3)[0].shape == (2, 1)


@pytest.mark.parametrize(
    ("layers", "heads", "length", "scored"),
    [
        (0, 0, 0, False),
        (2, 2, 0, True),
        (1, 1, 1, False),
        (2, 2, 4001, True),
        (260, 1, 9, False),
    ],
)
def test_any_shape_can_be_drawn(
    tmp_path: Path, layers: int, heads: int, length: int, scored: bool
) -> None:
    path = tmp_path / "kept.png"
    draw(make_map(layers, heads, length, scored=scored), path)
    height, width, _ = imread(path).shape
    assert width == 11 * 150
    assert 200 < height <= 40 * 150


@pytest.mark.parametrize("name", ["kept.pdf", "kept", "svg"])
def test_another_ending_is_refused_before_anything_is_asked(
    service_client: sluice.Client, tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        ValueError, match=r'path: ".*" must end with one of \.png, \.svg'
    ):
        heat_map(service_client, 7, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_what_to_install(
    service_client: sluice.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sluice.kept_picture")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install './client/python\[plot\]'"):
        heat_map(service_client, 7, tmp_path / "kept.svg")


@pytest.fixture
def service_client(tmp_path: Path) -> sluice.Client:
    """A client of nobody: any call would fail as Unavailable."""
    return sluice.Client(f"unix:{tmp_path}/none.sock", timeout_s=1)
