# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The tasks: what is read, what is foretold, and how it is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import sluice
import texts
from example.weights import Float32Array
from intervals import Interval, bootstrap, exponential, wilson
from script import Script, nats, right_share

PASSKEY_DEPTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Measure(Enum):
    """PERPLEXITY: samples are nats a byte, less is better. SHARE_RIGHT: more is better."""

    PERPLEXITY = "perplexity a byte"
    SHARE_RIGHT = "share right"

    def of(self, script: Script, logits: Float32Array) -> float:
        return (nats if self is Measure.PERPLEXITY else right_share)(script, logits)

    def interval(self, samples: Sequence[float]) -> Interval:
        """Perplexity: the exponential of the mean nats, bootstrapped over the samples; shares:
        Wilson's interval with a trial a sample."""
        if self is Measure.SHARE_RIGHT:
            return wilson(samples)
        return exponential(bootstrap(samples))


@dataclass(frozen=True)
class Task:
    """One column of the table.

    key: the name with the sizes that a result depends on.
    every_tokens: the policy acts each time that so many tokens were added; None: when the
        prompt ends.
    depth: of what is hidden, by seed; None where nothing is.
    """

    name: str
    key: str
    measure: Measure
    script: Callable[[int], Script]
    every_tokens: int | None = None
    depth: Callable[[int], float] | None = None

    def triggers(self) -> sluice.Triggers:
        if self.every_tokens is None:
            return sluice.Triggers(prefill_end=True)
        return sluice.Triggers(every_tokens=self.every_tokens, hysteresis_tokens=0)

    def budget_tokens(self, budget: float, script: Script) -> int:
        """The share of what the policy acts on; all of it is every token that ever comes."""
        if budget == 1:
            return script.length
        whole = len(script.prompt) if self.every_tokens is None else script.length
        return max(1, round(budget * whole))


@dataclass(frozen=True)
class Sizes:
    """How much the tasks read, in tokens, but for the counts of keys."""

    prompt: int
    continuation: int
    stream: int
    stream_step: int
    stream_unscored: int
    hidden_keys: int
    asked_keys: int


FULL_SIZES = Sizes(
    prompt=1024,
    continuation=256,
    stream=1536,
    stream_step=16,
    stream_unscored=256,
    hidden_keys=8,
    asked_keys=4,
)
SMOKE_SIZES = Sizes(
    prompt=512,
    continuation=64,
    stream=384,
    stream_step=32,
    stream_unscored=64,
    hidden_keys=4,
    asked_keys=2,
)


def tasks_of(sizes: Sizes) -> list[Task]:
    return [
        Task(
            "compressed_context",
            f"compressed_context/{sizes.prompt}+{sizes.continuation}",
            Measure.PERPLEXITY,
            lambda seed: texts.continued_text(seed, sizes.prompt, sizes.continuation),
        ),
        Task(
            "stream",
            f"stream/{sizes.stream}/{sizes.stream_step}/{sizes.stream_unscored}",
            Measure.PERPLEXITY,
            lambda seed: texts.streamed_text(
                seed, sizes.stream, sizes.stream_step, sizes.stream_unscored
            ),
            every_tokens=sizes.stream_step,
        ),
        _passkey("passkey_aware", sizes, query_aware=True),
        _passkey("passkey_agnostic", sizes, query_aware=False),
        Task(
            "recall",
            f"recall/{sizes.prompt}/{sizes.asked_keys}of{sizes.hidden_keys}",
            Measure.SHARE_RIGHT,
            lambda seed: texts.recall(seed, sizes.prompt, sizes.hidden_keys, sizes.asked_keys),
        ),
    ]


def _passkey(name: str, sizes: Sizes, *, query_aware: bool) -> Task:
    return Task(
        name,
        f"{name}/{sizes.prompt}",
        Measure.SHARE_RIGHT,
        lambda seed: texts.passkey(seed, sizes.prompt, _depth(seed), query_aware=query_aware),
        depth=_depth,
    )


def _depth(seed: int) -> float:
    """Every depth once in as many seeds as there are depths."""
    return PASSKEY_DEPTHS[seed % len(PASSKEY_DEPTHS)]
