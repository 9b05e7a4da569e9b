# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Every file has its licence line; none has notes to self or private places."""

import pathlib
import re
import unittest

import repository

LICENCE = "Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0"
LICENSED_SUFFIXES = repository.CPP_SUFFIXES | {".py", ".proto", ".cmake", ".sh"}
LICENSED_NAMES = {"CMakeLists.txt", "Makefile", "Dockerfile"}

# In pieces, so that this file does not find itself.
FORBIDDEN = {
    "a note to self": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b"),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot|ho" r"me/[a-z]\w*)/"),
    "a number of an issue": re.compile(r"\b[Ii]ss" r"ues? #?\d"),
}


def needs_licence(path: pathlib.PurePosixPath, text: str) -> bool:
    named = path.suffix in LICENSED_SUFFIXES or path.name in LICENSED_NAMES
    return bool(text) and (named or text.startswith("#!"))


def file_faults(path: pathlib.PurePosixPath, text: str) -> list[str]:
    faults = []
    if needs_licence(path, text) and not any(LICENCE in line for line in text.split("\n")[:3]):
        faults.append(f"{path}: no licence line among the first three")
    for number, line in enumerate(text.split("\n"), start=1):
        for what, pattern in FORBIDDEN.items():
            if match := pattern.search(line):
                faults.append(f"{path}:{number}: {what}: {match.group()}")
    return faults


class RepositoryTest(unittest.TestCase):
    def test_words(self):
        faults = []
        for path in repository.files():
            text = repository.read(path)
            if text is not None and path.name != "LICENSE":
                faults += file_faults(path, text)
        self.assertFalse(faults, "\n" + "\n".join(faults))


class CheckerTest(unittest.TestCase):
    def faults(self, name, text):
        return file_faults(pathlib.PurePosixPath(name), text)

    def test_a_missing_licence_is_found(self):
        self.assertTrue(self.faults("a.cc", "int a;\n"))
        self.assertTrue(self.faults("run", "#!/bin/sh\necho\n"))
        self.assertFalse(self.faults("run", f"#!/bin/sh\n# {LICENCE}\n"))
        self.assertFalse(self.faults("a.json", "{}\n"))

    def test_each_forbidden_word_is_found(self):
        for word in ("TO" + "DO", "FIX" + "ME: x", "see /wo" + "rk/x", '"/ho' + 'me/me/x"',
                     "iss" + "ue 3", "Iss" + "ues #12"):
            self.assertEqual(len(self.faults("a.md", word)), 1, word)

    def test_ordinary_words_pass(self):
        for word in ("unit of work/time", "net" + "work/x", "build/wo" + "rk/x", "issue a call",
                     "grpc#15511", "kTODOS"):
            self.assertFalse(self.faults("a.md", word), word)


if __name__ == "__main__":
    unittest.main()
