# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""kernels/cuda/VERIFIED names files as they were when the device suite last passed on a GPU.

Prints which files of kernels have changed since, or were never run; that is no fault, since
most machines have no GPU. A line that is malformed or names a file that is gone is one.

    verified_test.py --write DEVICE

writes the list anew, for the files as they are: after a green `make test-gpu` on DEVICE.
"""

import hashlib
import pathlib
import re
import sys
import unittest

import repository

LIST = pathlib.PurePosixPath("kernels/cuda/VERIFIED")
# What runs on the device or decides how.
VERIFIED = re.compile(r"kernels/(cuda/[^/]+\.(cu|cuh|h|cc)|device/[^/]+\.(h|cc)|core/[^/]+\.h)$")
LINE = re.compile(r"([0-9a-f]{64})  (\S+)  (\S.*)")  # SHA-256, file, device


def hashes() -> dict[str, str]:
    """The SHA-256 of each file that the list may name."""
    return {str(path): hashlib.sha256((repository.ROOT / path).read_bytes()).hexdigest()
            for path in repository.files() if VERIFIED.match(str(path))}


def parse(text: str) -> tuple[dict[str, str], list[str]]:
    """(hash of each file on the list, faults of its lines)."""
    listed = {}
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match:
            faults.append(f"{LIST}:{number}: not `SHA-256  file  device`: {line}")
        elif match.group(2) in listed:
            faults.append(f"{LIST}:{number}: {match.group(2)} is there twice")
        else:
            listed[match.group(2)] = match.group(1)
    return listed, faults


def compare(listed: dict[str, str], now: dict[str, str]) -> tuple[list[str], list[str]]:
    """(files that are newer than the list has them, faults of the list)."""
    newer = sorted(path for path, digest in now.items() if listed.get(path) != digest)
    gone = [f"{LIST}: {path} is not a file of kernels" for path in listed if path not in now]
    return newer, gone


def write(device: str) -> None:
    path = repository.ROOT / LIST
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    lines = [f"{digest}  {name}  {device}" for name, digest in sorted(hashes().items())]
    path.write_text("\n".join(header + lines) + "\n")


class RepositoryTest(unittest.TestCase):
    def test_the_list(self):
        listed, faults = parse(repository.read(LIST) or "")
        newer, gone = compare(listed, hashes())
        print(f"{len(newer)} files not run on a GPU as they are: {', '.join(newer)}")
        self.assertFalse(faults + gone, "\n" + "\n".join(faults + gone))


class CheckerTest(unittest.TestCase):
    HASH = "0" * 63 + "a"

    def test_lines_are_read(self):
        listed, faults = parse(f"# heading\n\n{self.HASH}  kernels/cuda/copy.cu  NVIDIA H200\n")
        self.assertEqual((listed, faults), ({"kernels/cuda/copy.cu": self.HASH}, []))

    def test_malformed_lines_are_found(self):
        for line in ("kernels/cuda/copy.cu", f"{self.HASH} a.cu  H200", f"{self.HASH}  a.cu",
                     f"{self.HASH[1:]}  a.cu  H200", f"{self.HASH}  a.cu  H\n{self.HASH}  a.cu  H"):
            self.assertEqual(len(parse(line)[1]), 1, line)

    def test_files_that_are_newer_or_gone_are_found(self):
        now = {"a.cu": "1", "b.cu": "2", "c.cu": "3"}
        newer, gone = compare({"a.cu": "1", "b.cu": "1", "d.cu": "4"}, now)
        self.assertEqual(newer, ["b.cu", "c.cu"])
        self.assertEqual(len(gone), 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"] and len(sys.argv) == 3:
        write(sys.argv[2])
    else:
        unittest.main()
