# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The policies that are measured, one line each, with how a budget becomes their parameters.

Presets with an observation window all have the same one at a budget, so that no more than their
rules differs. A preset of the daemon without a line here is measured with `budget_tokens`, and
with that window where it has one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import sluice

_SINK_TOKENS = 4
_CASCADE_SINK_TOKENS = 8
_MOST_WINDOW_TOKENS = 32
# How many tokens of a prompt come before a cascade takes them in; as a step of the stream.
_STRIDE_TOKENS = 16


@dataclass(frozen=True)
class PolicyLine:
    """A row of the table.

    name: as reported; differs from the preset where one preset has several rows.
    parameters: fields of sluice.Policy for a budget in tokens a head cache.
    sized: it has a budget. What has none is measured at 100 % only.
    triggered: it acts when a task says so; else all the while, by itself.
    lossless_at_full: a budget of every token evicts nothing, so results equal those of `full`.
    """

    name: str
    preset: str
    parameters: Callable[[int], dict[str, Any]]
    sized: bool = True
    triggered: bool = True
    lossless_at_full: bool = True

    def policy(self, budget_tokens: int, triggers: sluice.Triggers) -> sluice.Policy:
        parameters = self.parameters(budget_tokens)
        if self.triggered:
            parameters["triggers"] = triggers
        return sluice.Policy(self.preset, **parameters)


def _nothing(budget_tokens: int) -> dict[str, Any]:
    return {}


def _budget_tokens(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens}


def _sinks_and_window(budget_tokens: int) -> dict[str, Any]:
    sinks = min(_SINK_TOKENS, budget_tokens // 2)
    return {"sink_tokens": sinks, "recent_tokens": budget_tokens - sinks}


def _rolling_window(budget_tokens: int) -> dict[str, Any]:
    sinks = min(_SINK_TOKENS, budget_tokens // 2)
    recent = max(2, budget_tokens - sinks)
    return {"sink_tokens": sinks, "recent_tokens": recent, "stride_tokens": _STRIDE_TOKENS}


def _rings(cascades: int) -> Callable[[int], dict[str, Any]]:
    """Sinks and rings of one size, together the budget, where it has a token for each ring."""

    def parameters(budget_tokens: int) -> dict[str, Any]:
        least_sinks = min(_CASCADE_SINK_TOKENS, budget_tokens // 4)
        in_rings = max(1, (budget_tokens - least_sinks) // cascades) * cascades
        return {
            "sink_tokens": max(0, budget_tokens - in_rings),
            "cascade_tokens": in_rings,
            "cascades": cascades,
            "stride_tokens": _STRIDE_TOKENS,
        }

    return parameters


def _heavy_and_recent(budget_tokens: int) -> dict[str, Any]:
    heavy = max(1, budget_tokens // 2)
    return {"heavy_tokens": heavy, "recent_tokens": max(1, budget_tokens - heavy)}


def _window_and_budget(budget_tokens: int) -> dict[str, Any]:
    """At least one token beside the window, which these presets ask for."""
    window = max(1, min(_MOST_WINDOW_TOKENS, budget_tokens // 2))
    return {"budget_tokens": max(budget_tokens, window + 1), "window_tokens": window}


def _norm_and_window(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens, "protect_last_tokens": budget_tokens // 4}


def _norm_but_two_layers(budget_tokens: int) -> dict[str, Any]:
    return {"budget_tokens": budget_tokens, "skip_layers": (0, 1)}


LINES = (
    PolicyLine("full", "full", _nothing, sized=False, triggered=False),
    PolicyLine("sink_window", "sink_window", _sinks_and_window),
    PolicyLine("streaming_llm", "streaming_llm", _rolling_window, triggered=False),
    *(
        PolicyLine(f"cascade_{cascades}", "cascade", _rings(cascades), triggered=False)
        for cascades in (1, 4, 8)
    ),
    PolicyLine("l2norm", "l2norm", _budget_tokens),
    PolicyLine("l2norm_skip2", "l2norm", _norm_but_two_layers),
    PolicyLine("l2norm_recent", "l2norm", _norm_and_window),
    PolicyLine("snapkv", "snapkv", _window_and_budget),
    PolicyLine("pyramidkv", "pyramidkv", _window_and_budget),
    PolicyLine("adakv", "adakv", _window_and_budget),
    PolicyLine("dynamickv", "dynamickv", _window_and_budget),
    PolicyLine("h2o", "h2o", _heavy_and_recent),
    PolicyLine("tova", "tova", _budget_tokens),
)


def lines_for(presets: Iterable[sluice.ResolvedPolicy]) -> list[PolicyLine]:
    """The lines of these presets, `full` first; every preset has one at least."""
    known = {resolved.policy.preset: resolved for resolved in presets}
    found = [line for line in LINES if line.preset in known]
    covered = {line.preset for line in found}
    return found + [_line_of(one) for name, one in known.items() if name not in covered]


def _line_of(resolved: sluice.ResolvedPolicy) -> PolicyLine:
    windowed = resolved.observation_window_tokens > 0
    name = resolved.policy.preset
    return PolicyLine(name, name, _window_and_budget if windowed else _budget_tokens)


def described(policy: sluice.Policy) -> str:
    """The preset and every parameter that is set: what tells one policy from another."""
    unset = sluice.Policy(policy.preset)
    values = [(field.name, getattr(policy, field.name)) for field in fields(policy)]
    given = [f"{name}={value}" for name, value in values if value != getattr(unset, name)]
    return f"{policy.preset}({', '.join(given)})"
