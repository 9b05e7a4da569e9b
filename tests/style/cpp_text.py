# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Just enough of a C++ scanner for the style tests."""

import re

_TOKEN = re.compile(
    r"//[^\n]*(?:\\\n[^\n]*)*"  # line comment
    r"|/\*.*?\*/"  # block comment
    r'|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'  # string
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",  # character, not a digit separator
    re.DOTALL,
)
_CONTAINER = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|\bextern\s*\"")


def blank_comments_and_strings(text: str) -> str:
    """The same text with comments and literals as spaces; line ends stay."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group())

    return _TOKEN.sub(blank, text)


def _blank_directives(text: str) -> str:
    return re.sub(
        r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
        lambda match: re.sub(r"[^\n]", " ", match.group()),
        text,
        flags=re.MULTILINE,
    )


def _opens_function(head: str) -> bool:
    """Whether `head`, the text of a statement before its brace, declares a function."""
    outside = head
    while True:
        shorter = re.sub(r"\([^()]*\)", " ", outside)
        if shorter == outside:
            break
        outside = shorter
    if "(" not in head or _CONTAINER.search(re.sub(r"<[^<>]*>", " ", outside)):
        return False
    without_operators = re.sub(r"\boperator\s*[^\s\w]+|[=!<>]=", " ", outside)
    return "=" not in without_operators


def functions(text: str) -> list[tuple[int, int]]:
    """(first line, number of lines) of each function body's function, outermost only.

    A line is counted from the one with the function's name to the closing brace.
    """
    code = _blank_directives(blank_comments_and_strings(text))
    found: list[tuple[int, int]] = []
    statement = 0  # where the current statement of the enclosing scope began
    position = 0
    while (position := _next(code, position, "{};")) < len(code):
        if code[position] == "{" and _opens_function(code[statement:position]):
            end = _matching(code, position)
            following = code[end + 1 :].lstrip()[:1]
            # A braced member initialiser: the body is still to come.
            if following not in (",", "{"):
                found.append(_span(code, statement, end))
                statement = end + 1
            position = end + 1
            continue
        statement = position = position + 1
    return found


def _next(code: str, position: int, characters: str) -> int:
    """The next of `characters` outside of parentheses: default arguments have braces too."""
    depth = 0
    while position < len(code) and (depth > 0 or code[position] not in characters):
        depth += {"(": 1, ")": -1}.get(code[position], 0)
        position += 1
    return position


def _matching(code: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(code)):
        if code[position] == "{":
            depth += 1
        elif code[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    return len(code) - 1


def _span(code: str, start: int, end: int) -> tuple[int, int]:
    start += len(code[start:end]) - len(code[start:end].lstrip())
    return code.count("\n", 0, start) + 1, code.count("\n", start, end) + 1
