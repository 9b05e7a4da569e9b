# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Passkey prompts: a value hidden in a long text, and a question for it at the end."""

import random
from dataclasses import dataclass
from pathlib import Path

FIRST_TOKEN = 1
_TEXT_FILE = Path(__file__).parent / "text.txt"


@dataclass(frozen=True)
class PasskeyPrompt:
    """A prompt as token ids (token = byte value) and the bytes of the right answer."""

    token_ids: tuple[int, ...]
    answer: bytes


def filler_text(length: int, seed: int = 0) -> bytes:
    """`length` bytes of ordinary text: the paragraphs of text.txt, shuffled, again and again."""
    paragraphs = _TEXT_FILE.read_bytes().strip().split(b"\n\n")
    generator = random.Random(seed)
    text = b""
    while len(text) < length:
        generator.shuffle(paragraphs)
        text += b"\n\n".join(paragraphs) + b"\n\n"
    return text[:length]


def text_prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    """The first token and `length - 1` bytes of ordinary text."""
    return (FIRST_TOKEN, *filler_text(length - 1, seed))


def passkey_prompt(
    length: int, depth: float = 0.5, key: str = "abc", value: str = "40713", seed: int = 0
) -> PasskeyPrompt:
    """A prompt of `length` tokens with the value hidden at `depth` (0: start, 1: end).

    `key` is three lower-case letters and `value` five digits or five capitals, as the model was
    trained. Raises ValueError when the depth is outside [0, 1] or the length too small.
    """
    if not 0 <= depth <= 1:
        raise ValueError(f"depth: {depth}; must lie in [0, 1]")
    hidden = f"\nThe pass key {key}={value}.\n".encode("ascii")
    question = f"\nThe pass key {key}=".encode("ascii")
    filler_length = length - 1 - len(hidden) - len(question)
    if filler_length < 0:
        raise ValueError(f"length: {length}; must be at least {length - filler_length}")
    filler = filler_text(filler_length, seed)
    at = _line_start(filler, round(depth * filler_length))
    text = filler[:at] + hidden + filler[at:] + question
    return PasskeyPrompt((FIRST_TOKEN, *text), value.encode("ascii"))


def _line_start(text: bytes, at: int) -> int:
    """The last end of a line at or before `at`: a line is not torn apart by what is hidden."""
    if at >= len(text):
        return len(text)
    return max(text.rfind(b"\n", 0, at), 0)
