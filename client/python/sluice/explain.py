# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a sequence keeps, as arrays and as a picture.

sluice.explain.heat_map(client, sequence.id, "kept.svg")
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sluice.client import Client
from sluice.results import Explanation

FORMATS = (".png", ".svg")


@dataclass(frozen=True)
class KeptMap:
    """Which positions each head cache keeps: one row a (layer, kv head), in that order.

    `scores` are the policy's, higher staying longer, and NaN where nothing is kept; None where the
    policy has none.
    """

    sequence_id: int
    preset: str
    length: int  # the sequence's, in tokens
    layers: NDArray[np.int32]  # [rows]
    kv_heads: NDArray[np.int32]  # [rows]
    kept: NDArray[np.bool_]  # [rows, length]
    scores: NDArray[np.float32] | None  # [rows, length]
    evicted_mass_share: float | None = None  # by the last job, where it tells


def kept_map(client: Client, sequence_id: int) -> KeptMap:
    """Asks the daemon for every head cache of a sequence; changes nothing, and renews no lease.

    Heads are asked one after the other, each waiting for jobs that are due: where steps or jobs
    run meanwhile, rows may be of different moments, and what came after the first is left out. A
    layer that reads another's cache has no rows. Raises SluiceError, as NotFound for an unknown
    sequence and SequenceLost for a lost one.
    """
    info = client.inspect(sequence_id)
    places = [
        (usage.layer, head) for usage in info.layers for head in range(len(usage.kept_tokens))
    ]
    heads = [client.inspect_head(sequence_id, layer, head) for layer, head in places]
    length = min([info.length, *(head.length for head in heads)])
    has_scores = any(head.scores for head in heads)
    kept = np.zeros((len(heads), length), np.bool_)
    scores = np.full(kept.shape, np.nan, np.float32) if has_scores else None
    for row, head in enumerate(heads):
        _fill(kept[row], None if scores is None else scores[row], head)
    return KeptMap(
        sequence_id=sequence_id,
        preset=info.policy.policy.preset,
        length=length,
        layers=np.array([layer for layer, _ in places], np.int32),
        kv_heads=np.array([head for _, head in places], np.int32),
        kept=kept,
        scores=scores,
        evicted_mass_share=info.last_job.evicted_mass_share if info.last_job else None,
    )


def heat_map(client: Client, sequence_id: int, path: str | Path) -> KeptMap:
    """Draws what a sequence keeps, positions across and layers with their kv heads down, into a
    file whose name ends with `.svg` or `.png`; returns what was drawn.

    Where the policy has scores the colour is the score, else that a position is kept; positions
    that no longer fit a column each share one. Needs matplotlib (the extra `plot`).
    Raises as `kept_map`, ValueError for another ending, ImportError without matplotlib, and
    OSError where the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f'path: "{path}" must end with one of {", ".join(FORMATS)}')
    try:
        from sluice.kept_picture import draw
    except ImportError as error:
        raise ImportError(
            "a heat map needs matplotlib: in sluice's repository, "
            "pip install './client/python[plot]'"
        ) from error
    found = kept_map(client, sequence_id)
    draw(found, path)
    return found


def _fill(kept: NDArray[np.bool_], scores: NDArray[np.float32] | None, head: Explanation) -> None:
    positions = np.array(head.kept_positions, np.int64)
    seen = positions < kept.size
    kept[positions[seen]] = True
    if scores is not None and head.scores:
        scores[positions[seen]] = np.array(head.scores, np.float32)[seen]
