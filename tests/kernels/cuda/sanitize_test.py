# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The script `sanitize` names cases that there are, makes every check, and says what came of it."""

import pathlib
import re
import subprocess
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
SANITIZE = FOLDER / "sanitize"
SKIPPED = 77

# A compute-sanitizer that notes how it is called, and finds something in the check named.
TOOL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
[ "$2" != "%s" ]
"""


def cases_of_the_suite() -> set[str]:
    cases: set[str] = set()
    for source in (FOLDER.parent / "conformance").glob("*_test.cc"):
        found = re.findall(r"^TEST_P\((\w+), (\w+)\)", source.read_text(), re.MULTILINE)
        cases |= {f"{suite}.{name}" for suite, name in found}
    return cases


class SanitizeTest(unittest.TestCase):
    def run_with(self, finds_in: str) -> tuple[int, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder) / "compute-sanitizer"
            tool.write_text(TOOL % finds_in)
            tool.chmod(0o755)
            done = subprocess.run([SANITIZE, "suite", "argument"], check=False,
                                  capture_output=True, env={"PATH": f"{folder}:/usr/bin:/bin"})
            return done.returncode, (pathlib.Path(folder) / "calls").read_text().splitlines()

    def test_both_checks_run_over_cases_that_there_are(self) -> None:
        code, calls = self.run_with("nothing")
        self.assertEqual(code, 0)
        self.assertEqual([call.split()[1] for call in calls], ["memcheck", "racecheck"])
        for call in calls:
            *_, command, argument, asked = call.split()
            self.assertEqual([command, argument], ["suite", "argument"])
            wanted = re.fullmatch(r"--gtest_filter=(\S+)", asked).group(1).split(":")
            cases = [re.fullmatch(r"\*(\w+\.\w+)/cuda", one).group(1) for one in wanted]
            self.assertLessEqual(set(cases), cases_of_the_suite())

    def test_what_one_check_finds_is_a_failure_and_the_other_runs_too(self) -> None:
        for check in ("memcheck", "racecheck"):
            code, calls = self.run_with(check)
            self.assertEqual((code, len(calls)), (1, 2))

    def test_without_the_tool_it_is_skipped(self) -> None:
        done = subprocess.run([SANITIZE, "suite"], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/bin:/bin", "COMPUTE_SANITIZER": "/nowhere/it"})
        self.assertEqual((done.returncode, done.stdout),
                         (SKIPPED, "skipped: there is no compute-sanitizer\n"))


if __name__ == "__main__":
    unittest.main()
