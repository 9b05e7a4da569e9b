# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The Python lines of README.md run as they stand, but for the daemon's address."""

import re

import pytest
from example.daemon import REPOSITORY, Daemon

ADDRESS = "unix:/tmp/sluice/sluice.sock"


def test_python_lines_run(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (lines,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert ADDRESS in lines
    exec(compile(lines.replace(ADDRESS, daemon.address), "README.md", "exec"), {})
    assert capsys.readouterr().out == "(5, 8, 64)\n5\n"
