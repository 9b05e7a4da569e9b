# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The script `sanitize` names cases that there are, and says what came of the check."""

import pathlib
import re
import subprocess
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
SANITIZE = FOLDER / "sanitize"
SKIPPED = 77

# A compute-sanitizer that notes how it is called, says something, and ends as told.
TOOL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
echo "%s"
exit %d
"""


def cases_of_the_suite() -> set[str]:
    cases: set[str] = set()
    for source in (FOLDER.parent / "conformance").glob("*_test.cc"):
        found = re.findall(r"^TEST_P\((\w+), (\w+)\)", source.read_text(), re.MULTILINE)
        cases |= {f"{suite}.{name}" for suite, name in found}
    return cases


class SanitizeTest(unittest.TestCase):
    def run_with(self, says: str, code: int) -> tuple[subprocess.CompletedProcess, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder) / "compute-sanitizer"
            tool.write_text(TOOL % (says, code))
            tool.chmod(0o755)
            done = subprocess.run([SANITIZE, "suite", "argument", "racecheck"], check=False,
                                  capture_output=True, text=True,
                                  env={"PATH": f"{folder}:/usr/bin:/bin"})
            return done, (pathlib.Path(folder) / "calls").read_text().splitlines()

    def test_the_check_runs_over_cases_that_there_are_in_every_arithmetic(self) -> None:
        done, calls = self.run_with("nothing found", 0)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(all(call.startswith("--tool racecheck ") for call in calls), calls)
        *_, command, argument, check, asked = calls[-1].split()
        self.assertEqual([command, argument, check], ["suite", "argument", "racecheck"])
        wanted = re.fullmatch(r"--gtest_filter=(\S+)", asked).group(1).split(":")
        cases = {backend: {re.fullmatch(rf"\*(\w+\.\w+)/{backend}", one).group(1)
                           for one in wanted if one.endswith(f"/{backend}")}
                 for backend in ("cuda", "cuda_bf16")}
        self.assertEqual(len(wanted), sum(len(named) for named in cases.values()))
        self.assertEqual(cases["cuda"], cases["cuda_bf16"])
        self.assertLessEqual(cases["cuda"], cases_of_the_suite())
        self.assertGreater(len(cases["cuda"]), 10)

    def test_what_is_found_is_a_failure(self) -> None:
        done, calls = self.run_with("found", 3)
        self.assertEqual((done.returncode, len(calls)), (1, 2))

    def test_a_device_that_the_tool_refuses_is_skipped(self) -> None:
        done, calls = self.run_with("Error: Device not supported.", 1)
        self.assertEqual((done.returncode, len(calls)), (SKIPPED, 1))
        self.assertEqual(done.stdout,
                         "skipped: compute-sanitizer does not support the device\n")

    def test_without_the_tool_it_is_skipped(self) -> None:
        done = subprocess.run([SANITIZE, "suite", "memcheck"], check=False,
                              capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "COMPUTE_SANITIZER": "/nowhere/it"})
        self.assertEqual((done.returncode, done.stdout),
                         (SKIPPED, "skipped: there is no compute-sanitizer\n"))


if __name__ == "__main__":
    unittest.main()
