# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The policies that are measured, one line each, with how a budget becomes their parameters.

A preset of the daemon without a line here is measured with `budget_tokens` alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import sluice

_LEAST_SINK_TOKENS = 4


@dataclass(frozen=True)
class PolicyLine:
    """A row of the table.

    name: as reported; differs from the preset where one preset has several rows.
    parameters: fields of sluice.Policy for a budget in tokens a head cache.
    sized: it has a budget. What has none is measured at 100 % only.
    lossless_at_full: a budget of every token evicts nothing, so results equal those of `full`.
    """

    name: str
    preset: str
    parameters: Callable[[int], dict[str, Any]]
    sized: bool = True
    lossless_at_full: bool = True

    def policy(self, budget_tokens: int, triggers: sluice.Triggers) -> sluice.Policy:
        parameters = self.parameters(budget_tokens)
        if self.sized:
            parameters["triggers"] = triggers
        return sluice.Policy(self.preset, **parameters)


def _nothing(budget_tokens: int) -> dict[str, Any]:
    return {}


def _budget_tokens(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens}


def _sinks_and_window(budget_tokens: int) -> dict[str, Any]:
    sinks = min(_LEAST_SINK_TOKENS, budget_tokens // 2)
    return {"sink_tokens": sinks, "recent_tokens": budget_tokens - sinks}


def _norm_and_window(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens, "protect_last_tokens": budget_tokens // 4}


def _norm_but_two_layers(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens, "skip_layers": (0, 1)}


LINES = (
    PolicyLine("full", "full", _nothing, sized=False),
    PolicyLine("sink_window", "sink_window", _sinks_and_window),
    PolicyLine("l2norm", "l2norm", _budget_tokens),
    PolicyLine("l2norm_skip2", "l2norm", _norm_but_two_layers),
    PolicyLine("l2norm_recent", "l2norm", _norm_and_window),
)


def lines_for(presets: Iterable[str]) -> list[PolicyLine]:
    """The lines of these presets, `full` first; every preset has one at least."""
    known = list(presets)
    found = [line for line in LINES if line.preset in known]
    covered = {line.preset for line in found}
    found += [PolicyLine(name, name, _budget_tokens) for name in known if name not in covered]
    return found


def described(policy: sluice.Policy) -> str:
    """The preset and every parameter that is set: what tells one policy from another."""
    unset = sluice.Policy(policy.preset)
    values = [(field.name, getattr(policy, field.name)) for field in fields(policy)]
    given = [f"{name}={value}" for name, value in values if value != getattr(unset, name)]
    return f"{policy.preset}({', '.join(given)})"
