# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Texts in the formats that the model was trained on, the same for a seed on every machine."""

import random
import string

from example.prompts import FIRST_TOKEN, filler_text, passkey_prompt
from script import Script, cut

_KEY_LETTERS = 2
_VALUE_LETTERS = 4


def continued_text(seed: int, prompt_tokens: int, continuation_tokens: int) -> Script:
    """Prose; then in one step, all of it foretold, a passage of it again and new prose, half of
    the continuation each: what a policy has dropped shows in the first, what it has disturbed in
    the second.

    Raises ValueError when the passage would be longer than the prompt.
    """
    passage_tokens = continuation_tokens // 2
    if passage_tokens >= prompt_tokens:
        raise ValueError(f"continuation_tokens: {continuation_tokens}; too long for the prompt")
    prose = _prose(seed, prompt_tokens + continuation_tokens - passage_tokens)
    prompt, new = prose[:prompt_tokens], prose[prompt_tokens:]
    first = random.Random(f"passage {seed}").randrange(1, prompt_tokens - passage_tokens + 1)
    step = (*prompt[first : first + passage_tokens], *new)
    scored = range(prompt_tokens + 1, prompt_tokens + continuation_tokens)
    return Script(prompt, (step,), (scored,))


def streamed_text(seed: int, tokens: int, step_tokens: int, unscored_tokens: int) -> Script:
    """Prose in steps of `step_tokens` after a prompt of the first token alone; foretold from
    `unscored_tokens` on."""
    text = _prose(seed, tokens)
    return Script(text[:1], cut(text[1:], step_tokens), (range(unscored_tokens, tokens),))


def passkey(seed: int, prompt_tokens: int, depth: float, *, query_aware: bool) -> Script:
    """A pass key hidden in prose; query-aware: all of the question but its last byte belongs to
    the prompt, else none of it."""
    generator = random.Random(f"passkey {seed}")
    key = "".join(generator.sample(string.ascii_lowercase, 3))
    letters = generator.choice((string.digits, string.ascii_uppercase))
    value = "".join(generator.choices(letters, k=5))
    # The question's length is that of the prompt: the depth is a share of the same text.
    made = passkey_prompt(prompt_tokens, depth, key, value, seed)
    question = len(f"\nThe pass key {key}=")
    cut_at = prompt_tokens - (1 if query_aware else question)
    asked = (*made.token_ids[cut_at:], *made.answer)
    scored = range(prompt_tokens, prompt_tokens + len(made.answer))
    return Script(made.token_ids[:cut_at], (asked,), (scored,))


def recall(seed: int, prompt_tokens: int, hidden: int, asked: int) -> Script:
    """`hidden` keyed values spread over prose; then `asked` of them, one step and one group each.

    Raises ValueError when they do not fit or more are asked for than hidden.
    """
    if asked > hidden:
        raise ValueError(f"asked: {asked}; must be at most the {hidden} that are hidden")
    generator = random.Random(f"recall {seed}")
    pairs = _pairs(generator, hidden)
    text = _spread(generator, [f"[{key}={value}]" for key, value in pairs], prompt_tokens - 1, seed)
    prompt = (FIRST_TOKEN, *text)
    steps: list[tuple[int, ...]] = []
    scored: list[range] = []
    at = len(prompt)
    for key, value in generator.sample(pairs, asked):
        question = f"[{key}="
        steps.append(tuple(f"{question}{value}]".encode("ascii")))
        scored.append(range(at + len(question), at + len(question) + len(value)))
        at += len(steps[-1])
    return Script(prompt, tuple(steps), tuple(scored))


def _prose(seed: int, tokens: int) -> tuple[int, ...]:
    return (FIRST_TOKEN, *filler_text(tokens - 1, seed))


def _pairs(generator: random.Random, count: int) -> list[tuple[str, str]]:
    keys: set[str] = set()
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        key = "".join(generator.choices(string.ascii_lowercase, k=_KEY_LETTERS))
        letters = generator.choice((string.digits, string.ascii_uppercase))
        if key not in keys:
            pairs.append((key, "".join(generator.choices(letters, k=_VALUE_LETTERS))))
        keys.add(key)
    return pairs


def _spread(generator: random.Random, items: list[str], length: int, seed: int) -> bytes:
    """Prose of `length` bytes with one item somewhere in each equal part of it."""
    prose_length = length - sum(map(len, items))
    part = prose_length // len(items)
    if part < 1:
        raise ValueError(f"prompt_tokens: {length + 1}; too few for {len(items)} items")
    prose = filler_text(prose_length, seed)
    text = b""
    for number, item in enumerate(items):
        end = prose_length if number == len(items) - 1 else (number + 1) * part
        piece = prose[number * part : end]
        at = generator.randrange(len(piece) + 1)
        text += piece[:at] + item.encode("ascii") + piece[at:]
    return text
