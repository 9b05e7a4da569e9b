# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Puts the client's sources on the path and shares the loaded model between tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: E402,F401 - sets the number of BLAS threads before numpy is imported
import pytest  # noqa: E402
from example.model import Model  # noqa: E402
from example.weights import load_weights  # noqa: E402


@pytest.fixture(scope="session")
def model() -> Model:
    return Model(load_weights())
