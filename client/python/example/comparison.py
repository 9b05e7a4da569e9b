# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Greedy text with attention in the daemon against ordinary attention in this process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sluice

from example.daemon_attention import DaemonAttention
from example.generate import generate
from example.in_process import InProcessAttention
from example.model import Model
from example.prompts import text_prompt

PROMPT_TOKENS = (1, 2, 17, 300, 1500)
GREEDY_TOKENS = 512
# Whole, and in chunks that are no multiple of a page.
CHUNK_TOKENS = (None, 100)


@dataclass(frozen=True)
class Comparison:
    """How many of `compared` greedy tokens came before the first that differs."""

    prompt_tokens: int
    chunk_tokens: int | None
    equal: int
    compared: int

    @property
    def ok(self) -> bool:
        return self.equal == self.compared

    def __str__(self) -> str:
        chunks = "whole" if self.chunk_tokens is None else f"in chunks of {self.chunk_tokens}"
        return f"prompt of {self.prompt_tokens} tokens, {chunks}: {self.equal} of {self.compared}"


def equal_tokens(found: Sequence[int], expected: Sequence[int]) -> int:
    """How many tokens agree from the start."""
    pairs = zip(found, expected, strict=True)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), len(expected))


def runs_to_compare(prompt_tokens: Sequence[int]) -> int:
    """How many texts `compare_full` generates."""
    return len(prompt_tokens) * (1 + len(CHUNK_TOKENS))


def compare_full(
    model: Model,
    client: sluice.Client,
    kv_model: sluice.Model,
    prompt_tokens: Sequence[int] = PROMPT_TOKENS,
    greedy_tokens: int = GREEDY_TOKENS,
    on_token: Callable[[], None] = lambda: None,
) -> Iterator[Comparison]:
    """Compares the policy `full` for prompts of these lengths, chunked or not.

    `on_token` is called after each of the tokens: `runs_to_compare` times `greedy_tokens`.
    """

    def run(
        attention: InProcessAttention | DaemonAttention,
        prompt: Sequence[int],
        chunk_tokens: int | None,
    ) -> list[int]:
        tokens = []
        for token in generate(model, attention, prompt, greedy_tokens, chunk_tokens):
            tokens.append(token)
            on_token()
        return tokens

    for length in prompt_tokens:
        prompt = text_prompt(length)
        expected = run(InProcessAttention(model.config), prompt, None)
        for chunk_tokens in CHUNK_TOKENS:
            with client.session("compare") as session:
                sequence = client.create_sequence(kv_model, session=session)
                found = run(DaemonAttention(session, sequence), prompt, chunk_tokens)
            equal = equal_tokens(found, expected)
            yield Comparison(length, chunk_tokens, equal, greedy_tokens)
