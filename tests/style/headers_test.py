# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Every header of the daemon, the kernels and the clients is on a list of its folder.

What is on a list (HDRS of sluice_library) is compiled by itself: ctest's entry
headers_compile_alone builds all of them.
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


if __name__ == "__main__":
    unittest.main()
