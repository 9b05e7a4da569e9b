# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Generates the stubs whenever the package is built; everything else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))
from generate_stubs import generate


class BuildWithStubs(build_py):
    def run(self) -> None:
        generate()
        super().run()


setup(cmdclass={"build_py": BuildWithStubs})
