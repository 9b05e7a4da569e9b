# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Figures as files in build/report, for scripts that read no tables."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from example.daemon import REPOSITORY


@dataclass(frozen=True)
class Figure:
    """One figure.

    goal: what is asked of the value, at most or at least, as the figure's nature is; None: the
        figure is only told.
    ok: the goal is met; True without one.
    bound: the limit that arithmetic or the design puts on the value, where there is one: a share
        of a whole has 1, and what the engine thread does at once has the design's microseconds.
    """

    name: str
    value: float
    unit: str
    bound: float | None = None
    goal: float | None = None
    ok: bool = True


def promise(name: str, kept: bool) -> Figure:
    """A figure of something that either holds or does not."""
    return Figure(name, float(kept), "1: yes, 0: no", goal=1, ok=kept)


def write(file_name: str, figures: Sequence[Figure]) -> Path:
    """Writes them into SLUICE_REPORT_DIR, or build/report without it."""
    folder = Path(os.environ.get("SLUICE_REPORT_DIR", REPOSITORY / "build" / "report"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return path
