# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the style tests look at: the files that git tracks or would track."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

CPP_SUFFIXES = {".h", ".cc", ".cu", ".cuh"}


def files() -> list[pathlib.PurePosixPath]:
    """Paths from the repository root, sorted; without what .gitignore names."""
    # Whoever owns the checkout: only names are read.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
               "--exclude-standard"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    paths = sorted({pathlib.PurePosixPath(name) for name in output.decode().split("\0") if name})
    return [path for path in paths if (ROOT / path).is_file()]


def cpp_files() -> list[pathlib.PurePosixPath]:
    return [path for path in files() if path.suffix in CPP_SUFFIXES]


def read(path: pathlib.PurePosixPath) -> str | None:
    """The text of a file, or None if it is not UTF-8 text."""
    data = (ROOT / path).read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
