# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""No kernel spills registers or keeps anything in local memory.

    resources_test.py --architectures 80;90a --objects FILE;FILE...

reads what ptxas said when the objects were compiled (kernels/cuda/note_resources) and
expects each kernel of each object to have been compiled for every architecture.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import unittest

ENTRY = re.compile(r"Compiling entry function '(\S+)' for 'sm_(\w+)'")
MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")

Use = collections.namedtuple("Use", "kernel architecture stack stores loads registers")


def uses(text: str) -> list[Use]:
    """What ptxas says of each kernel for each architecture; a ValueError where it is unclear."""
    found = []
    for part in text.split("Compiling entry function")[1:]:
        entry = ENTRY.search("Compiling entry function" + part)
        memory = MEMORY.search(part)
        registers = REGISTERS.search(part)
        if not (entry and memory and registers):
            raise ValueError(f"not what ptxas -v says: {part[:200]}")
        numbers = [int(number) for number in (*memory.groups(), registers.group(1))]
        found.append(Use(entry.group(1), entry.group(2), *numbers))
    return found


def real(architectures: str) -> set[str]:
    """Those of SLUICE_CUDA_ARCHITECTURES for which there is code, not only PTX."""
    names = architectures.split(";")
    return {name.removesuffix("-real") for name in names if not name.endswith("-virtual")}


def faults(found: list[Use], architectures: set[str]) -> list[str]:
    of_kernel = collections.defaultdict(set)
    told = []
    for use in found:
        of_kernel[use.kernel].add(use.architecture)
        if use.stack or use.stores or use.loads:
            told.append(f"{use.kernel} for sm_{use.architecture}: {use.stack} bytes of local "
                        f"memory, {use.stores} bytes spilled, {use.loads} loaded again")
    for kernel, compiled in of_kernel.items():
        if compiled != architectures:
            told.append(f"{kernel} is compiled for {sorted(compiled)}")
    return told if of_kernel else ["there is no kernel"]


class CheckerTest(unittest.TestCase):
    CLEAN = """\
ptxas info    : Compiling entry function 'f' for 'sm_80'
ptxas info    : Function properties for f
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 24 registers, used 0 barriers, 368 bytes cmem[0]
"""

    def test_what_is_clean_passes(self):
        self.assertEqual(faults(uses(self.CLEAN), {"80"}), [])
        self.assertEqual(uses(self.CLEAN), [Use("f", "80", 0, 0, 0, 24)])

    def test_local_memory_and_spills_are_found(self):
        for word in ("stack frame", "spill stores", "spill loads"):
            text = self.CLEAN.replace("0 bytes " + word, "8 bytes " + word)
            self.assertEqual(len(faults(uses(text), {"80"})), 1, word)

    def test_a_missing_architecture_is_found(self):
        self.assertEqual(len(faults(uses(self.CLEAN), {"80", "90a"})), 1)
        self.assertEqual(len(faults([], {"80"})), 1)

    def test_what_is_not_understood_is_no_pass(self):
        with self.assertRaises(ValueError):
            uses(self.CLEAN.replace("stack frame", "frame"))

    def test_architectures_of_ptx_only_have_no_code(self):
        self.assertEqual(real("80;90a-real;90-virtual"), {"80", "90a"})


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--architectures", required=True)
    parser.add_argument("--objects", required=True)
    arguments = parser.parse_args()
    result = unittest.TextTestRunner().run(
        unittest.defaultTestLoader.loadTestsFromTestCase(CheckerTest))
    told = [] if result.wasSuccessful() else ["the checker itself fails"]
    for name in arguments.objects.split(";"):
        found = uses(pathlib.Path(name + ".resources").read_text())
        told += [f"{pathlib.Path(name).name}: {fault}"
                 for fault in faults(found, real(arguments.architectures))]
        for use in found:
            print(f"{use.registers:4d} registers  sm_{use.architecture:4s} {use.kernel}")
    if told:
        filtered = subprocess.run(["c++filt"], input="\n".join(told) + "\n", text=True,
                                  stdout=subprocess.PIPE, check=True)
        print(filtered.stdout, file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
