# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The picture of sluice.explain.heat_map. Importing it needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sluice.explain import KeptMap

MAX_COLUMNS = 2000  # more would be narrower than a pixel
MAX_NAMED_ROWS = 64  # more names would overlap
_DPI = 150
_EVICTED = "#e6e6e6"


def draw(found: KeptMap, path: Path) -> None:
    """Writes the picture in the format that the file's name ends with."""
    rows = len(found.layers)
    figure = Figure(figsize=(11, min(1.6 + 0.16 * rows, 40)), layout="constrained")
    axes = figure.subplots()
    values, label, colours = _values(found)
    is_share = found.scores is None
    image = axes.imshow(
        values,
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        extent=(0, max(found.length, 1), rows - 0.5, -0.5) if rows else (0, 1, 0.5, -0.5),
        vmin=0 if is_share else None,
        vmax=1 if is_share else None,
    )
    axes.set_facecolor(_EVICTED)
    figure.colorbar(image, ax=axes, label=label, pad=0.01)
    axes.set_title(_title(found))
    axes.set_xlabel("position (tokens)")
    _name_rows(axes, found)
    figure.savefig(path, dpi=_DPI, format=path.suffix[1:].lower())


def columns(values: NDArray[Any], most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sums and counts of what is not NaN, `[rows, at most `most` columns]`, over runs of equal
    length; the last may be shorter."""
    rows, length = values.shape
    run = max(1, -(-length // most))
    starts = np.arange(0, length, run)
    if length == 0:
        return np.zeros((rows, 1), np.float32), np.zeros((rows, 1), np.float32)
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values, 0), starts, axis=1, dtype=np.float32)
    return sums, np.add.reduceat(known, starts, axis=1, dtype=np.float32)


def _values(found: KeptMap) -> tuple[Any, str, str]:
    """What is coloured, masked where nothing is kept, what that is, and the colours for it."""
    if found.scores is not None:
        sums, counts = columns(found.scores, MAX_COLUMNS)
        label, colours = "score (higher stays longer)", "viridis"
    else:
        sums, counts = columns(found.kept.astype(np.float32), MAX_COLUMNS)
        label, colours = "share kept", "Blues"
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    empty = counts == 0 if found.scores is not None else sums == 0
    return np.ma.masked_where(empty | ~np.isfinite(means), means), label, colours


def _title(found: KeptMap) -> str:
    total = found.kept.size
    kept = int(found.kept.sum())
    share = 100 * kept / max(total, 1)
    title = (
        f"sequence {found.sequence_id}, {found.preset}: "
        f"{kept:,} of {total:,} slots kept ({share:.1f} %); grey: evicted"
    )
    if found.evicted_mass_share is not None:
        title += f", last {100 * found.evicted_mass_share:.2f} % of the attention"
    return title


def _name_rows(axes: Any, found: KeptMap) -> None:
    """Names rows, or only layers where there are too many, and parts the layers by lines."""
    firsts = [row for row, head in enumerate(found.kv_heads) if head == 0]
    if len(found.layers) <= MAX_NAMED_ROWS:
        axes.set_ylabel("layer.kv head")
        names = [f"{a}.{b}" for a, b in zip(found.layers, found.kv_heads, strict=True)]
        axes.set_yticks(range(len(names)), names, fontsize=7)
    else:
        axes.set_ylabel("layer")
        named = firsts[:: -(-len(firsts) // MAX_NAMED_ROWS)]
        axes.set_yticks(named, [str(found.layers[row]) for row in named], fontsize=7)
    for row in firsts[1:]:
        axes.axhline(row - 0.5, color="white", linewidth=1)
