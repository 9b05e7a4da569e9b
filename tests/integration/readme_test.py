# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The Python and C++ lines of README.md run as they stand, but for the daemon's address."""

import os
import re
import subprocess

import pytest
from example.daemon import REPOSITORY, Daemon

ADDRESS = "unix:/tmp/sluice/sluice.sock"


def run_python_lines(daemon: Daemon, number: int) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    lines = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[number]
    assert ADDRESS in lines
    exec(compile(lines.replace(ADDRESS, daemon.address), "README.md", "exec"), {})


def test_python_lines_run(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    run_python_lines(daemon, 0)
    assert capsys.readouterr().out == "(5, 8, 64)\n5\n"


def test_transformers_lines_run(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "transformers"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    monkeypatch.chdir(REPOSITORY)
    run_python_lines(daemon, 1)
    assert capsys.readouterr().out == "b'The pass key abc=40713.\\n'\n96\n"


def test_cpp_lines_run_against_the_same_daemon(daemon: Daemon) -> None:
    command = [os.environ["README_CPP"], daemon.address]
    assert subprocess.check_output(command, text=True, timeout=20) == "5 8 64 1\n"
