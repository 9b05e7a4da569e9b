# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The policies that are measured, one line each, with how a budget becomes their parameters.

A preset of the daemon without a line here is measured with `budget_tokens`, and with its own
observation window where it has one, but no more of it than half of the budget.
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


def _heavy_and_recent(budget_tokens: int) -> dict[str, Any]:
    heavy = max(1, budget_tokens // 2)
    return {"heavy_tokens": heavy, "recent_tokens": max(1, budget_tokens - heavy)}


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
    PolicyLine("h2o", "h2o", _heavy_and_recent),
)


def lines_for(presets: Iterable[sluice.ResolvedPolicy]) -> list[PolicyLine]:
    """The lines of these presets, `full` first; every preset has one at least."""
    known = {resolved.policy.preset: resolved for resolved in presets}
    found = [line for line in LINES if line.preset in known]
    covered = {line.preset for line in found}
    return found + [_line_of(one) for name, one in known.items() if name not in covered]


def _line_of(resolved: sluice.ResolvedPolicy) -> PolicyLine:
    most_window_tokens = resolved.observation_window_tokens

    def parameters(budget_tokens: int) -> dict[str, Any]:
        given = _budget_tokens(budget_tokens)
        if most_window_tokens > 0:
            given["window_tokens"] = max(1, min(most_window_tokens, budget_tokens // 2))
        return given

    return PolicyLine(resolved.policy.preset, resolved.policy.preset, parameters)


def described(policy: sluice.Policy) -> str:
    """The preset and every parameter that is set: what tells one policy from another."""
    unset = sluice.Policy(policy.preset)
    values = [(field.name, getattr(policy, field.name)) for field in fields(policy)]
    given = [f"{name}={value}" for name, value in values if value != getattr(unset, name)]
    return f"{policy.preset}({', '.join(given)})"
