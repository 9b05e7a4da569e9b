# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Puts the client's sources on the path, and what several test files share."""

# ruff: noqa: E402

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
