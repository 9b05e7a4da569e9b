# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Every header of the daemon, the kernels and the clients is shown to compile by itself.

A source includes the header of its name before all else, so that the build compiles it alone.
Headers without such a source are compiled by ctest's entry headers_compile_alone, if they are
on a list of their folder (HDRS of sluice_library).
"""

import pathlib
import re
import unittest

import repository

LISTED_FOLDERS = ("kernels", "daemon", "client")
# Parts of a translation unit: they do not compile by themselves.
EXEMPT = re.compile(r"(-inl\.h|\.cuh)$")


def unlisted(headers: list[str], lists: dict[str, str]) -> list[str]:
    """Those of `headers` that no CMakeLists.txt of their folder or above names.

    `lists` maps folders to the text of their CMakeLists.txt.
    """
    words = {
        folder: set(re.sub(r"#[^\n]*", "", text).replace(")", " ").split())
        for folder, text in lists.items()
    }
    faults = []
    for header in headers:
        path = pathlib.PurePosixPath(header)
        listed = any(
            str(path.relative_to(folder)) in words.get(str(folder), ()) for folder in path.parents
        )
        if not listed and not EXEMPT.search(path.name):
            faults.append(f"{header}: in no HDRS of {path.parent}/CMakeLists.txt")
    return faults


def late(sources: dict[str, str], headers: set[str]) -> list[str]:
    """Those of `sources` (path: text) that include another header before that of their name."""
    faults = []
    for source, text in sources.items():
        header = source.removesuffix(".cc") + ".h"
        first = re.search(r"^ *# *include (.*)", text, re.MULTILINE)
        if header in headers and (not first or first.group(1).split()[0] != f'"{header}"'):
            faults.append(f"{source}: must include {header} first")
    return faults


class RepositoryTest(unittest.TestCase):
    def test_headers_are_listed(self):
        paths = [path for path in repository.files() if path.parts[0] in LISTED_FOLDERS]
        lists = {
            str(path.parent): repository.read(path) or ""
            for path in paths
            if path.name == "CMakeLists.txt"
        }
        headers = [str(path) for path in paths if path.suffix in (".h", ".cuh")]
        faults = unlisted(headers, lists)
        self.assertFalse(faults, "\n" + "\n".join(faults))

    def test_sources_include_their_header_first(self):
        headers = {str(path) for path in repository.files() if path.suffix == ".h"}
        sources = {
            str(path): repository.read(path) or ""
            for path in repository.files()
            if path.suffix == ".cc"
        }
        faults = late(sources, headers)
        self.assertFalse(faults, "\n" + "\n".join(faults))


class CheckerTest(unittest.TestCase):
    LISTS = {
        "daemon/base": "sluice_library(x\n HDRS clock.h mutex.h)  # hash.h",
        "kernels": "sluice_library(y HDRS ops.h core/view.h)",
    }

    def test_a_header_that_is_not_listed_is_found(self):
        self.assertTrue(unlisted(["daemon/base/hash.h"], self.LISTS))
        self.assertTrue(unlisted(["daemon/rpc/clock.h"], self.LISTS))

    def test_listed_and_exempt_headers_pass(self):
        headers = ["daemon/base/mutex.h", "daemon/base/a-inl.h", "kernels/core/view.h"]
        self.assertFalse(unlisted(headers, self.LISTS))

    def test_a_source_that_includes_its_header_late_is_found(self):
        headers = {"daemon/base/hash.h"}
        other = '#include <string>\n\n#include "daemon/base/hash.h"\n'
        self.assertTrue(late({"daemon/base/hash.cc": other}, headers))
        self.assertTrue(late({"daemon/base/hash.cc": "int x;\n"}, headers))

    def test_a_source_that_includes_its_header_first_or_has_none_passes(self):
        headers = {"daemon/base/hash.h"}
        own = '// Text.\n#include "daemon/base/hash.h"  // for all\n#include <string>\n'
        self.assertFalse(late({"daemon/base/hash.cc": own}, headers))
        self.assertFalse(late({"daemon/main.cc": "#include <string>\n"}, headers))


if __name__ == "__main__":
    unittest.main()
