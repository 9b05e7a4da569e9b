# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The bundle for machines with a GPU is complete: it starts without this machine's libraries."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


class BundleTest(unittest.TestCase):
    def test_it_runs_by_itself(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run([REPOSITORY / "deploy/gpu-bundle", BUILD, folder],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(made.returncode, 0, made.stderr)
            tests = (pathlib.Path(folder) / "tests").read_text().splitlines()
            for line in ("cuda_device_gpu - cuda_device_test", "shared_pool_gpu - shared_pool_test",
                         "memcheck_gpu sanitize conformance_test memcheck"):
                self.assertTrue(any(test.startswith(line) for test in tests), tests)
            done = subprocess.run([pathlib.Path(folder) / "run"], capture_output=True, text=True,
                                  check=False, env={"PATH": "/usr/bin:/bin"})
            self.assertIn(done.returncode, (0, SKIPPED), done.stdout + done.stderr)
            if done.returncode == SKIPPED:
                self.assertRegex(done.stdout, r"^skipped: .+\n$")
                self.bench_says_why_it_is_skipped(pathlib.Path(folder))

    def bench_says_why_it_is_skipped(self, folder: pathlib.Path) -> None:
        if not (pathlib.Path(BUILD) / "tests/bench/gpu/sluice_gpu_bench").exists():
            return  # only with the daemon
        python = pathlib.Path(sys.executable).parent
        done = subprocess.run([folder / "bench"], capture_output=True, text=True, check=False,
                              env={"PATH": f"{python}:/usr/bin:/bin"})
        self.assertEqual(done.returncode, SKIPPED, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"^skipped: .+\n$")


BUILD = sys.argv.pop(1)

if __name__ == "__main__":
    unittest.main()
