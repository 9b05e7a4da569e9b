# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks, prints the table and writes build/report/bench.json.

A goal that is missed is said in the table and does not change the exit code: figures depend on
the machine. The exit code is 1 when a benchmark failed, is missing, or measured what cannot be.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from figures import (
    BenchmarkError,
    Measured,
    Record,
    decode_vs_peer,
    figures_of,
    number,
    parse_lines,
    prefill_vs_peer,
    table,
)

REPOSITORY = Path(__file__).resolve().parents[2]
REPORT = REPOSITORY / "build/report/bench.json"
THREADS = 2  # the bars name it
HEARTBEAT_S = 5.0
TIMEOUT_S = 900.0


def say(message: str) -> None:
    print(f"[bench] {message}", file=sys.stderr, flush=True)


def run_program(what: str, command: Sequence[str]) -> list[Record]:
    """Runs a benchmark, with a sign of life every few seconds. Raises BenchmarkError."""
    if not Path(command[0]).is_file():
        raise BenchmarkError(f"{what}: there is no {command[0]}; `make build` makes it")
    say(what)
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while True:
        try:
            output, _ = process.communicate(timeout=HEARTBEAT_S)
            break
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - start
            say(f"{what}: {seconds:.0f} s")
            if seconds > TIMEOUT_S:
                process.kill()
                process.communicate()
                raise BenchmarkError(f"{what}: not done after {seconds:.0f} s") from None
    if process.returncode != 0:
        raise BenchmarkError(f"{what}: exit code {process.returncode}")
    try:
        return parse_lines(output)
    except BenchmarkError as error:
        raise BenchmarkError(f"{what}: {error}") from None


class Benchmarks:
    """The programs of one build, and what they measured."""

    def __init__(self, build: Path, rounds: int, peers: bool) -> None:
        self._programs = build / "tests/bench"
        self._daemon = build / "daemon/sluiced"
        self._rounds = rounds
        self._peers = peers
        self.measured = Measured()
        self.errors: list[str] = []

    def run(self) -> None:
        for part in (self._attend, self._error, self._operations, self._engine, self._call,
                     self._cache):
            self._try(part)

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except BenchmarkError as error:
            say(f"error: {error}")
            self.errors.append(str(error))

    def _own(self, program: str, *arguments: str) -> list[Record]:
        return run_program(program, [str(self._programs / program), *arguments])

    def _attend(self) -> None:
        for index in range(self._rounds):
            say(f"attend: round {index + 1} of {self._rounds}")
            ours = self._own("sluice_attend_bench", str(THREADS))
            self.measured.add_records(ours)
            for record in ours:
                if record["name"] == "decode_vs_stream":
                    self.measured.add("stream", number(record, "stream_gb_per_s"), "GB/s")
                    self.measured.add("decode", number(record, "attend_gb_per_s"), "GB/s")
            if self._peers:
                self._try(lambda: self._peer(ours))

    def _peer(self, ours: Sequence[Record]) -> None:
        script = str(REPOSITORY / "tests/bench/peer_sdpa.py")
        peer = run_program("PyTorch", [sys.executable, script, str(THREADS)])
        for record in peer:
            say(f"{record['name']}: {record['value']:.4g} {record['unit']}, {record.get('form')}, "
                f"{record.get('dtype', 'bfloat16')}, PyTorch {record.get('version')}")
            suffix = f"_{record['dtype']}" if "dtype" in record else ""
            self.measured.add(f"{record['name']}{suffix}", number(record, "value"),
                              str(record["unit"]))
        self.measured.add("decode_vs_sdpa", decode_vs_peer(ours, peer), "ratio")
        self.measured.add("prefill_vs_sdpa", prefill_vs_peer(ours, peer), "ratio")

    def _error(self) -> None:
        self.measured.add_records(self._own("sluice_attend_error"))

    def _operations(self) -> None:
        self.measured.add_records(self._own("sluice_ops_bench"))

    def _engine(self) -> None:
        self.measured.add_records(self._own("sluice_engine_bench"))
        self.measured.add_records(self._own("sluice_background_bench"))

    def _call(self) -> None:
        records = self._own("sluice_call_bench", str(self._daemon))
        self.measured.add_records(records)
        for key in ("call_us", "empty_stream_us", "attend_us"):
            self.measured.add(key, number(records[0], key), "us")

    def _cache(self) -> None:
        # The same names as on the engine thread, but of the bookkeeping alone.
        self.measured.add_records(self._own("sluice_cache_bench"), prefix="cache_")


def machine_facts(measured: Measured) -> str:
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    facts = [model, f"{os.cpu_count()} cores", f"load {os.getloadavg()[0]:.1f}"]
    if "stream" in measured.values:
        facts.append(f"read stream {measured.median('stream'):.1f} GB/s with {THREADS} threads")
    return ", ".join(facts)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true",
                        help="also measure PyTorch, in turn with our own")
    parser.add_argument("--rounds", type=int, default=3,
                        help="repetitions of attend and its peers; the median counts (default 3)")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    build = Path(os.environ.get("SLUICE_BUILD_DIR", "build/default"))
    if os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1):
        say("the machine has other work to do: ratios are noisy, times are too long")
    benchmarks = Benchmarks(REPOSITORY / build, arguments.rounds, arguments.peers)
    benchmarks.run()
    figures, errors = figures_of(benchmarks.measured, arguments.peers)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    print(table(figures))
    print(f"\n{machine_facts(benchmarks.measured)}\nfigures: {REPORT}")
    for error in benchmarks.errors + errors:
        print(f"error: {error}")
    return 1 if benchmarks.errors or errors else 0


if __name__ == "__main__":
    sys.exit(main())
