# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Maps and pictures of what a real daemon's sequences keep."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import sluice
from client_test import make_rows
from example.daemon import Daemon
from fake_service import MODEL
from matplotlib.image import imread
from sluice._generated import admin_pb2

pytestmark = pytest.mark.integration

SPEC = sluice.ModelSpec.uniform(**MODEL)
TOKENS = 300
BUDGET = 60
EVICTED = 230 / 255  # the grey of what is not kept
ON_REQUEST = sluice.Triggers()
L2NORM = sluice.Policy(
    "l2norm", budget_tokens=BUDGET, skip_layers=(), triggers=ON_REQUEST
)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=["--pool_bytes=67108864"]) as daemon:
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture
def live(daemon: Daemon) -> Iterator[sluice.Client]:
    with sluice.Client(daemon.address) as client:
        yield client


def first_of(layer: int, head: int) -> int:
    """Where the keys of smallest norm begin, never at an end of the sequence."""
    return 20 + 50 * (2 * layer + head)


def fill(live: sluice.Client, sequence: sluice.KvSequence) -> None:
    """Keys whose norm grows with their distance from a run of BUDGET positions, by head."""
    step = live.begin_step([sluice.StepEntry(sequence, token_count=TOKENS)])
    for layer in range(2):
        q, _, v = make_rows(TOKENS, seed=layer)
        k = np.zeros_like(v)
        for head in range(2):
            middle = first_of(layer, head) + (BUDGET - 1) / 2
            k[:, head, 0] = 1 + np.abs(np.arange(TOKENS) - middle)
        step.attend(layer, q, k, v)
    assert step.closed


@pytest.fixture
def compressed(live: sluice.Client) -> Iterator[sluice.KvSequence]:
    with live.create_sequence(live.register_model(SPEC), policy=L2NORM) as sequence:
        fill(live, sequence)
        assert sequence.compress().job.outcome == "COMMITTED"
        yield sequence


def expected() -> np.ndarray:
    kept = np.zeros((4, TOKENS), np.bool_)
    for row in range(4):
        first = first_of(row // 2, row % 2)
        kept[row, first : first + BUDGET] = True
    return kept


def test_the_map_is_what_the_head_caches_keep(
    live: sluice.Client, compressed: sluice.KvSequence
) -> None:
    found = sluice.explain.kept_map(live, compressed.id)
    assert (found.preset, found.length) == ("l2norm", TOKENS)
    np.testing.assert_array_equal(found.layers, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.kv_heads, [0, 1, 0, 1])
    np.testing.assert_array_equal(found.kept, expected())
    assert found.scores is not None
    for row in range(4):
        told = compressed.explain(row // 2, row % 2)
        np.testing.assert_array_equal(
            np.flatnonzero(found.kept[row]), told.kept_positions
        )
        np.testing.assert_array_equal(found.scores[row][found.kept[row]], told.scores)
        assert np.isnan(found.scores[row][~found.kept[row]]).all()
        middle = first_of(row // 2, row % 2) + (BUDGET - 1) / 2
        norms = 1 + np.abs(np.asarray(told.kept_positions) - middle)
        np.testing.assert_allclose(told.scores, -norms, rtol=1e-6)


def test_what_has_no_scores_is_a_map_too(live: sluice.Client) -> None:
    policy = sluice.Policy(
        "sink_window", sink_tokens=4, recent_tokens=60, triggers=ON_REQUEST
    )
    with live.create_sequence(live.register_model(SPEC), policy=policy) as sequence:
        fill(live, sequence)
        sequence.compress()
        found = sluice.explain.kept_map(live, sequence.id)
        assert found.scores is None
        kept = np.flatnonzero(found.kept[3]).tolist()
        assert kept == [*range(4), *range(240, 300)]
        assert (found.kept == found.kept[0]).all()


def test_accumulated_scores_are_mapped_and_the_picture_says_what_attention_went(
    live: sluice.Client, tmp_path: Path
) -> None:
    policy = sluice.Policy(
        "h2o", heavy_tokens=40, recent_tokens=20, triggers=ON_REQUEST
    )
    path = tmp_path / "kept.svg"
    with live.create_sequence(live.register_model(SPEC), policy=policy) as sequence:
        fill(live, sequence)
        done = sequence.compress()
        found = sluice.explain.heat_map(live, sequence.id, path)
        assert found.scores is not None
        assert found.scores[3][found.kept[3]].tolist() == list(sequence.explain(1, 1).scores)
        lost = done.job.evicted_mass_share
        assert lost is not None
        assert 0 < lost < 1
        assert found.evicted_mass_share == lost
        evictions = live.inspect(sequence.id).evictions
        assert [eviction.evicted_mass_share for eviction in evictions] == [lost]
        assert f"last {100 * lost:.2f} % of the attention" in path.read_text()


def test_looking_on_renews_no_lease(live: sluice.Client) -> None:
    """A map does not, where a call of the client on the sequence starts the lease anew."""
    kv_model = live.register_model(SPEC)
    with live.create_sequence(kv_model, policy=L2NORM, lease_s=100) as sequence:
        fill(live, sequence)
        before = lease_left_ns(live, sequence)
        sluice.explain.kept_map(live, sequence.id)
        looked_at = lease_left_ns(live, sequence)
        assert looked_at < before
        sequence.explain(0, 0)
        assert lease_left_ns(live, sequence) > looked_at


def lease_left_ns(live: sluice.Client, sequence: sluice.KvSequence) -> int:
    request = admin_pb2.InspectSequenceRequest(sequence_id=sequence.id)
    answer = live._connection.call_admin("InspectSequence", request)
    return int(answer.sequence.lease_left.ToNanoseconds())


def cells(pixels: np.ndarray) -> np.ndarray:
    """The pixels at the middle of each cell, `[4, TOKENS, channels]`, of a drawn area."""
    height, width, _ = pixels.shape
    rows = ((np.arange(4) + 0.5) * height / 4).astype(int)
    at = ((np.arange(TOKENS) + 0.5) * width / TOKENS).astype(int)
    return pixels[rows[:, None], at]


def test_the_png_shows_what_is_kept(
    live: sluice.Client, compressed: sluice.KvSequence, tmp_path: Path
) -> None:
    path = tmp_path / "kept.png"
    found = sluice.explain.heat_map(live, compressed.id, path)
    np.testing.assert_array_equal(found.kept, expected())
    pixels = imread(path)[..., :3]
    is_grey = (np.abs(pixels - EVICTED) < 1e-3).all(axis=-1)
    # Both ends of each row are evicted; letters have some such pixels too.
    down = np.flatnonzero(is_grey.sum(axis=1) > 500)
    across = np.flatnonzero(is_grey.sum(axis=0) > 50)
    drawn = pixels[down.min() : down.max() + 1, across.min() : across.max() + 1]
    shown = (np.abs(cells(drawn) - EVICTED) > 1e-3).any(axis=-1)
    np.testing.assert_array_equal(shown, expected())
    assert drawn.shape[1] > 1000


def test_the_svg_shows_what_is_kept(
    live: sluice.Client, compressed: sluice.KvSequence, tmp_path: Path
) -> None:
    path = tmp_path / "kept.SVG"
    sluice.explain.heat_map(live, compressed.id, str(path))
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    images = list(root.iter("{http://www.w3.org/2000/svg}image"))
    data = images[0].attrib["{http://www.w3.org/1999/xlink}href"]
    drawn = imread(
        io.BytesIO(base64.b64decode(data.removeprefix("data:image/png;base64,")))
    )
    if "scale(1 -1)" in images[0].attrib.get("transform", ""):
        drawn = drawn[::-1]
    np.testing.assert_array_equal(cells(drawn)[..., 3] > 0.5, expected())
    text = path.read_text()
    for words in ("position (tokens)", "layer.kv head", "240 of 1,200 slots kept"):
        assert re.search(re.escape(words), text), words


def test_an_unknown_sequence_is_refused_and_no_file_is_written(
    live: sluice.Client, compressed: sluice.KvSequence, tmp_path: Path
) -> None:
    with pytest.raises(sluice.NotFound):
        sluice.explain.heat_map(live, compressed.id + 1000, tmp_path / "kept.png")
    assert list(tmp_path.iterdir()) == []
