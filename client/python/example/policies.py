# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The same passkey prompt under several policies: text, what is kept, and what it costs."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sluice

from example.comparison import equal_tokens
from example.daemon_attention import DaemonAttention
from example.generate import generate
from example.model import Model
from example.prompts import PasskeyPrompt

CHUNK_TOKENS = 256


@dataclass(frozen=True)
class PolicyRun:
    """One row of the table. `kept_tokens` is the mean over the head caches at the end."""

    policy: sluice.Policy
    length: int
    kept_tokens: float
    kv_bytes: int
    tokens_per_second: float
    passkey_found: bool
    equal: int
    compared: int


def policies_for(prompt_tokens: int) -> list[sluice.Policy]:
    """`full`, and others that keep about half of the prompt."""
    half = prompt_tokens // 2
    return [
        sluice.Policy("full"),
        sluice.Policy("sink_window", sink_tokens=4, recent_tokens=half - 4),
        sluice.Policy("l2norm", ratio=sluice.Ratio(0.5), prune_after_tokens=0),
        sluice.Policy("snapkv", budget_tokens=half),
        sluice.Policy("dynamickv", budget_tokens=half),
    ]


def run_policy(
    model: Model,
    client: sluice.Client,
    kv_model: sluice.Model,
    policy: sluice.Policy,
    prompt: PasskeyPrompt,
    expected: Sequence[int],
) -> PolicyRun:
    """Generates as many tokens as `expected` has, writing them to stdout as they come."""
    print(f"\n--- {policy.preset}: ", end="", flush=True)
    with client.session("example") as session:
        sequence = client.create_sequence(kv_model, policy=policy, session=session)
        attention = DaemonAttention(session, sequence)
        tokens: list[int] = []
        started = 0.0
        for token in generate(model, attention, prompt.token_ids, len(expected), CHUNK_TOKENS):
            started = started or time.monotonic()
            tokens.append(token)
            _write(token)
        elapsed = time.monotonic() - started
        info = sequence.get()
    print(flush=True)
    heads = sum(len(layer.kept_tokens) for layer in info.layers)
    return PolicyRun(
        policy=policy,
        length=info.length,
        kept_tokens=info.kept_tokens / heads,
        kv_bytes=info.held_bytes,
        tokens_per_second=(len(tokens) - 1) / elapsed,
        passkey_found=bytes(tokens).startswith(prompt.answer),
        equal=equal_tokens(tokens, expected),
        compared=len(expected),
    )


def _write(token: int) -> None:
    """Writes one byte of text; what a terminal could take for a command is shown as `?`."""
    character = chr(token)
    sys.stdout.write(character if character.isprintable() or character == "\n" else "?")
    sys.stdout.flush()
