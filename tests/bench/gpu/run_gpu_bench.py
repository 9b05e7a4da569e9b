# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark of a GPU, prints the table and writes bench_gpu.json.

    run_gpu_bench.py [--report FILE] [--commit NAME] COMMAND...

COMMAND starts sluice_gpu_bench. Where this Python has a PyTorch that sees the GPU, that is
measured in the same run. A goal that is missed is said in the table and does not change the
exit code. The exit code is 77 without a GPU, with a line that says why, and 1 when a benchmark
failed or measured what cannot be.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent)]

from figures import (  # noqa: E402  # beside this file, or a folder above it
    BenchmarkError,
    Measured,
    Record,
    figures_of,
    parse_lines,
    table,
)
from gpu_figures import BARS, add_peers, device_of, impossible  # noqa: E402

SKIPPED = 77
TIMED_OUT = 124
TIMEOUT_S = 270.0  # of our benchmark, and of PyTorch's
REPORT = Path("build/report/bench_gpu.json")


def start(command: Sequence[str]) -> tuple[int, str]:
    """The exit code and what was printed; what goes to stderr is shown as it comes."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        return TIMED_OUT, (late.stdout or b"").decode()
    return done.returncode, done.stdout.decode()


def peers() -> list[Record]:
    """What PyTorch measured; where it is absent or ended early, that is said."""
    if importlib.util.find_spec("torch") is None:
        print("peers: this Python has no PyTorch", file=sys.stderr)
        return []
    code, output = start([sys.executable, str(HERE / "peer_gpu.py")])
    if code == SKIPPED:
        print("peers: PyTorch sees no GPU", file=sys.stderr)
        return []
    if code != 0:
        print(f"peers: PyTorch ended with exit code {code}", file=sys.stderr)
    return parse_lines(output) if output else []


def commit() -> str:
    shown = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"],
                           capture_output=True, text=True, check=False)
    return shown.stdout.strip() or "unknown"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--commit", help="what was built; git is asked where it is not given")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("COMMAND is missing")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    errors: list[str] = []
    code, output = start(arguments.command)
    if code == SKIPPED:
        print(output.strip())
        return SKIPPED
    if code != 0:
        errors.append(f"the benchmark ended with exit code {code}")
    measured = Measured()
    ours = parse_lines(output)
    measured.add_records(ours)
    theirs = peers()
    measured.add_records(theirs)
    add_peers(measured, ours, theirs)
    figures, missing = figures_of(measured, bool(theirs), BARS)
    errors += missing + impossible(measured)
    report = {"device": device_of(ours), "commit": arguments.commit or commit(),
              "figures": [asdict(figure) for figure in figures]}
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(json.dumps(report, indent=2) + "\n")
    print(table(figures, BARS))
    print(f"\n{report['device']}, commit {report['commit']}\nfigures: {arguments.report}")
    for error in errors:
        print(f"error: {error}")
    return 1 if errors else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as fault:
        sys.exit(f"error: {fault}")
