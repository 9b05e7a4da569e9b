# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""No file over 500 lines, median of at most 150; no function over 60 lines."""

import ast
import pathlib
import statistics
import unittest

import cpp_text
import repository

MAX_FILE_LINES = 500
MAX_MEDIAN_LINES = 150
MAX_FUNCTION_LINES = 60
SIZED_SUFFIXES = repository.CPP_SUFFIXES | {".py", ".proto", ".cmake", ".sh"}


def python_functions(text: str) -> list[tuple[int, int]]:
    """(first line, number of lines) of each function."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds)
    ]


def file_faults(path: pathlib.PurePosixPath, text: str) -> list[str]:
    faults = []
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        faults.append(f"{path}: {lines} lines, at most {MAX_FILE_LINES}")
    if path.suffix in repository.CPP_SUFFIXES:
        found = cpp_text.functions(text)
    elif path.suffix == ".py":
        found = python_functions(text)
    else:
        found = []
    for line, length in found:
        if length > MAX_FUNCTION_LINES:
            faults.append(f"{path}:{line}: function of {length} lines, at most {MAX_FUNCTION_LINES}")
    return faults


class RepositoryTest(unittest.TestCase):
    def test_files_and_functions_are_short(self):
        sizes = []
        faults = []
        for path in repository.files():
            if path.suffix not in SIZED_SUFFIXES and path.name != "CMakeLists.txt":
                continue
            text = repository.read(path) or ""
            if path.suffix in repository.CPP_SUFFIXES | {".py"}:
                sizes.append(text.count("\n"))
            faults += file_faults(path, text)
        self.assertFalse(faults, "\n" + "\n".join(faults))
        self.assertLessEqual(statistics.median(sizes), MAX_MEDIAN_LINES)


class CheckerTest(unittest.TestCase):
    LONG_BODY = "{\n" + "  step();\n" * 60 + "}\n"

    def lengths(self, text):
        return [length for _, length in cpp_text.functions(text)]

    def test_a_long_file_is_found(self):
        self.assertTrue(file_faults(pathlib.PurePosixPath("a.proto"), "\n" * 501))
        self.assertFalse(file_faults(pathlib.PurePosixPath("a.proto"), "\n" * 500))

    def test_a_long_cpp_function_is_found_where_it_begins(self):
        text = "namespace a {\nvoid Short() {}\n\nvoid Long() " + self.LONG_BODY + "}\n"
        faults = file_faults(pathlib.PurePosixPath("a.cc"), text)
        self.assertEqual(faults, ["a.cc:4: function of 62 lines, at most 60"])

    def test_members_templates_and_tests_are_functions(self):
        for head in (
            "class A {\n int F() const override ",
            "template <typename T>\n  requires(sizeof(T) > 1)\nT F(T x = {}) ",
            "TEST(A, B) ",
            "auto F() -> int ",
            "bool operator==(const A& other) ",
            "struct S {\n A(int b) : b_(b), c_{2}, d_(3) ",
            'extern "C" {\nvoid F() ',
        ):
            self.assertGreaterEqual(max(self.lengths(head + self.LONG_BODY), default=0), 62, head)

    def test_types_and_tables_are_no_functions(self):
        for head in (
            "class ABSL_LOCKABLE A(x) ",
            "constexpr std::array<int, F(3)> kTable = ",
            "namespace b ",
            "enum class E : uint8_t ",
        ):
            self.assertEqual(self.lengths(head + "{\n" + "\n" * 80 + "};\n"), [], head)

    def test_braces_in_text_do_not_count(self):
        text = "int F() {\n  // }\n  return '}' + \"}\"[0] + R\"(})\"[0] + 1'000;\n}\nint G() {\n}\n"
        self.assertEqual(self.lengths(text), [4, 2])

    def test_a_long_python_function_is_found(self):
        text = "def f():\n" + "    pass\n" * 60
        faults = file_faults(pathlib.PurePosixPath("a.py"), text)
        self.assertEqual(faults, ["a.py:1: function of 61 lines, at most 60"])


if __name__ == "__main__":
    unittest.main()
