# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Deliberate defects in kernels for devices, each of which the conformance suite must catch.

    seeded_faults.py BUILD_DIR [--seeds 1 2 3] [--only TEXT] [--work FOLDER] [--jobs N]

For each fault of faults.py: a copy of the header with the fault goes before the repository in
the include path, the kernels of its family are compiled again for emulated blocks, and the
family's conformance binaries are linked with them. Over "emulated" these must fail with every
seed, and as they were built they must pass. Faults are tried side by side; prints what caught
each as soon as that is known; exit code 1 where one was not caught. BUILD_DIR: with the
conformance tests built.

    seeded_faults.py --check

only looks whether the faults fit the headers as they are.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from faults import FAULTS, Fault

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
SIM = pathlib.Path("tests/kernels/sim")
# Of one run with one seed; those that pass take a tenth of it.
RUN_SECONDS = 600


def faulty(text: str, fault: Fault) -> str:
    """A header's text with the fault; a ValueError unless its place is found exactly once."""
    if text.count(fault.text) != 1:
        raise ValueError(f"{fault.header}: found {text.count(fault.text)} times, not once:\n"
                         f"{fault.text}")
    return text.replace(fault.text, fault.replacement)


def check() -> list[str]:
    """What is wrong with the list of faults."""
    told = []
    for fault in FAULTS:
        try:
            faulty((REPOSITORY / fault.header).read_text(), fault)
        except ValueError as error:
            told.append(str(error))
        if not (REPOSITORY / SIM / f"sim_{fault.family}.cc").exists():
            told.append(f"there is no family {fault.family}")
    families = {path.stem.removeprefix("sim_") for path in (REPOSITORY / SIM).glob("sim_*.cc")
                if "template void RunOnSim" in path.read_text()}
    told += [f"no fault in {name}" for name in sorted(families - {f.family for f in FAULTS})]
    if len({fault.name for fault in FAULTS}) < len(FAULTS):
        told.append("two faults have one name")
    return told


class Build:
    """A build folder, of which the commands are taken."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder.resolve()
        commands = json.loads((self.folder / "compile_commands.json").read_text())
        self.compilations = {pathlib.Path(c["file"]).name: c["command"] for c in commands
                             if pathlib.Path(c["file"]).parent.match(str(SIM))}

    def _run(self, command: str) -> None:
        done = subprocess.run(command, shell=True, cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{command}\n{done.stdout}")

    def compile(self, fault: Fault, work: pathlib.Path) -> pathlib.Path:
        header = work / "include" / fault.header
        header.parent.mkdir(parents=True)
        header.write_text(faulty((REPOSITORY / fault.header).read_text(), fault))
        made = work / "kernels.o"
        command = self.compilations[f"sim_{fault.family}.cc"]
        command = re.sub(r" -o \S+", f" -o {made}", command, count=1)
        # A fault may leave something unused.
        command = command.replace(" -I", f" -I{work}/include -I", 1) + " -Wno-error"
        self._run(command)
        return made

    def link(self, suite: str, kernels: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
        command = subprocess.run(
            ["ninja", "-t", "commands", f"conformance_{suite}_test"], cwd=self.folder,
            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
        made = work / f"{suite}_test"
        # Before everything else, so that its functions are the ones that are linked.
        command, count = re.subn(r" (\S+\.o) -o \S+", rf" {kernels} \1 -o {made}", command)
        if count != 1:
            raise RuntimeError(f"not a command that links a test: {command}")
        self._run(command)
        return made

    def binary(self, suite: str) -> pathlib.Path:
        return self.folder / f"tests/kernels/conformance/conformance_{suite}_test"


def failure(binary: pathlib.Path, seed: int, tests: str) -> str | None:
    """By what a run over emulated blocks failed; None: it passed."""
    command = [str(binary), f"--gtest_filter={tests}", "--gtest_brief=1", "--gtest_fail_fast"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=RUN_SECONDS, text=True, errors="replace",
                              env=os.environ | {"SLUICE_TEST_SEED": str(seed)})
    except subprocess.TimeoutExpired:
        return f"no end within {RUN_SECONDS} s"
    if done.returncode == 0:
        return None
    for pattern in (r"emulated block: (its threads .*|thread \d+ .*|an .*|a .*)",
                    r"SUMMARY: (.*)", r"FAILED  \] Backends/(\S+)/emulated"):
        found = re.search(pattern, done.stdout)
        if found:
            return found.group(1)
    return f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"


def trouble_without_fault(build: Build, suite: str, seed: int) -> str | None:
    """By what a suite fails as it was built; None: it passes."""
    reason = failure(build.binary(suite), seed, "*emulated*")
    return reason and f"without a fault, {suite} with seed {seed} fails: {reason}"


def trouble_with_fault(build: Build, seeds: list[int], fault: Fault, work: pathlib.Path
                       ) -> tuple[bool, str]:
    """Whether a suite fails with every seed because of the fault, and by what."""
    started = time.monotonic()
    kernels = build.compile(fault, work)
    binaries = [build.link(suite, kernels, work) for suite in fault.suites]
    reasons = []
    for seed in seeds:
        reason = next(filter(None, (failure(b, seed, "*emulated*") for b in binaries)), None)
        if reason is None:
            reasons.append(f"nothing with seed {seed}")
        elif reason not in reasons:
            reasons.append(reason)
    shutil.rmtree(work)
    missed = [reason for reason in reasons if reason.startswith("nothing with seed")]
    return not missed, (f"{'NOT CAUGHT' if missed else 'caught'}: {fault.family}: {fault.name}, "
                        f"by {'; '.join(reasons)} ({time.monotonic() - started:.0f} s)")


def run(build: Build, seeds: list[int], faults: list[Fault], work: pathlib.Path, jobs: int
        ) -> bool:
    """Whether the suites pass as they were built and all the faults are caught."""
    shutil.rmtree(work, ignore_errors=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        suites = sorted({suite for fault in faults for suite in fault.suites})
        told = list(filter(None, pool.map(
            lambda case: trouble_without_fault(build, *case),
            [(suite, seed) for suite in suites for seed in seeds])))
        print("\n".join(told) or f"without a fault {len(suites)} suites pass", flush=True)
        tried = [pool.submit(trouble_with_fault, build, seeds, fault, work / str(number))
                 for number, fault in enumerate(faults)]
        count = 0
        for done, future in enumerate(concurrent.futures.as_completed(tried), 1):
            caught, line = future.result()
            count += caught
            print(f"[{done}/{len(faults)}] {line}", flush=True)
    print(f"{count} of {len(faults)} faults caught with each of the seeds {seeds}")
    return not told and count == len(faults) > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--only", default="", help="faults with this text in family: name")
    parser.add_argument("--work", type=pathlib.Path, help="default: BUILD_DIR/seeded_faults")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    arguments = parser.parse_args()
    told = check()
    if told or arguments.check:
        print("\n".join(told) or f"{len(FAULTS)} faults fit their headers")
        return 1 if told else 0
    if arguments.build is None:
        parser.error("which build folder?")
    faults = [f for f in FAULTS if arguments.only in f"{f.family}: {f.name}"]
    work = (arguments.work or arguments.build / "seeded_faults").resolve()
    good = run(Build(arguments.build), arguments.seeds, faults, work, arguments.jobs)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
