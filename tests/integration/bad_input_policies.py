# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Policies that do not exist or make no sense, for every call that takes one."""

import math
from typing import Any

from bad_input_world import Case
from sluice._generated import policy_pb2, sequence_pb2

Kept = policy_pb2.Ratio.OF_KEPT
Removed = policy_pb2.Ratio.OF_REMOVED
Floor = policy_pb2.Ratio.ROUNDING_FLOOR
Every = policy_pb2.EveryTrigger
Triggers = policy_pb2.Triggers
Layers = policy_pb2.LayerSet
Periods = policy_pb2.CascadePeriods


def _ratio(value: float, of: int = Kept, rounding: int = Floor) -> policy_pb2.Ratio:
    return policy_pb2.Ratio(value=value, of=of, rounding=rounding)


def _policy(preset: str, **parameters: Any) -> policy_pb2.Policy:
    return policy_pb2.Policy(preset=preset, parameters=policy_pb2.Parameters(**parameters))


def _parameter(preset: str, field: str, reason: str = "FIELD_INVALID", **parameters: Any) -> Case:
    policy = _policy(preset, **parameters)
    text = " ".join(str(policy.parameters).split())
    return Case(
        f"{preset} with {text}",
        "CreateSequence",
        lambda w: sequence_pb2.CreateSequenceRequest(model_id=w.model, policy=policy),
        f"policy.parameters.{field}",
        reason=reason,
    )


def _preset(name: str, preset: str) -> list[Case]:
    """The preset where a sequence is made, looked up, changed and compressed."""
    policy = policy_pb2.Policy(preset=preset)
    requests = {
        "CreateSequence": lambda w: sequence_pb2.CreateSequenceRequest(
            model_id=w.model, policy=policy
        ),
        "MatchPrefix": lambda w: sequence_pb2.MatchPrefixRequest(model_id=w.model, policy=policy),
        "SetPolicy": lambda w: sequence_pb2.SetPolicyRequest(sequence_id=w.idle, policy=policy),
        "Compress": lambda w: sequence_pb2.CompressRequest(sequence_id=w.idle, policy=policy),
    }
    return [
        Case(f"{name} preset", method, request, "policy.preset")
        for method, request in requests.items()
    ]


def _unfit(*presets: str) -> list[Case]:
    """Presets that the model is not for: a layer reads another's cache, one has a window."""
    return [
        Case(
            f"{preset} on shared layers",
            "CreateSequence",
            lambda w, preset=preset: sequence_pb2.CreateSequenceRequest(
                model_id=w.model, policy=policy_pb2.Policy(preset=preset)
            ),
            "policy.preset",
            reason="NOT_IN_VERSION",
        )
        for preset in presets
    ]


_BIG = 1 << 62

CASES = [
    *_preset("unknown", "h2o_of_tomorrow"),
    *_preset("long", "x" * 65),
    *_preset("unprintable", "full\n"),
    _parameter("full", "sink_tokens", sink_tokens=4),
    _parameter("sink_window", "budget_tokens", budget_tokens=64),
    _parameter("sink_window", "sink_tokens", sink_tokens=-1),
    _parameter("sink_window", "sink_tokens", sink_tokens=_BIG),
    _parameter("sink_window", "recent_tokens", recent_tokens=0),
    _parameter("sink_window", "recent_tokens", recent_tokens=-_BIG),
    _parameter("l2norm", "sink_tokens", sink_tokens=4),
    _parameter("l2norm", "budget_tokens", budget_tokens=0),
    _parameter("l2norm", "budget_tokens", budget_tokens=_BIG),
    _parameter("l2norm", "ratio", budget_tokens=8, ratio=_ratio(0.5)),
    _parameter("l2norm", "ratio.of", ratio=_ratio(0.5, of=0)),
    _parameter("l2norm", "ratio.of", ratio=_ratio(0.5, of=7)),
    _parameter("l2norm", "ratio.rounding", ratio=_ratio(0.5, rounding=0)),
    _parameter("l2norm", "ratio.value", ratio=_ratio(0.0)),
    _parameter("l2norm", "ratio.value", ratio=_ratio(1.5)),
    _parameter("l2norm", "ratio.value", ratio=_ratio(math.nan)),
    _parameter("l2norm", "ratio.value", ratio=_ratio(1.0, of=Removed)),
    _parameter("l2norm", "ratio.value", ratio=_ratio(-0.1, of=Removed)),
    _parameter("l2norm", "prune_after_tokens", prune_after_tokens=-1),
    _parameter("l2norm", "prune_after_tokens", budget_tokens=8, prune_after_tokens=64),
    _parameter("l2norm", "skip_layers", skip_layers=Layers(layers=[3])),
    _parameter("l2norm", "skip_layers", skip_layers=Layers(layers=[-1])),
    _parameter("l2norm", "skip_layers", skip_layers=Layers(layers=[0, 0])),
    _parameter("l2norm", "skip_layers", skip_layers=Layers(layers=[0, 1, 2])),
    _parameter("l2norm", "skip_layers.layers", skip_layers=Layers(layers=range(1025))),
    _parameter("l2norm", "protect_first_tokens", protect_first_tokens=-1),
    _parameter("l2norm", "protect_last_tokens", protect_last_tokens=_BIG),
    _parameter("l2norm", "budget_tokens", budget_tokens=8, protect_first_tokens=9),
    _parameter("l2norm", "triggers.once", triggers=Triggers(once=True)),
    _parameter("l2norm", "triggers.every.tokens", triggers=Triggers(every=Every(tokens=0))),
    _parameter("l2norm", "triggers.every.tokens", triggers=Triggers(every=Every(tokens=-5))),
    _parameter("sink_window", "triggers.every.hysteresis_tokens",
               triggers=Triggers(every=Every(tokens=8, hysteresis_tokens=-1))),
    _parameter("l2norm", "triggers.every.hysteresis_tokens",
               triggers=Triggers(every=Every(tokens=8, hysteresis_tokens=1))),
    _parameter("full", "triggers", triggers=Triggers(pressure=True)),
    _parameter("sink_window", "visible", visible=9),
    _parameter("sink_window", "shared_prefix", shared_prefix=9),
    _parameter("l2norm", "window_tokens", window_tokens=8),
    _parameter("l2norm", "alpha", alpha=0.5),
    _parameter("l2norm", "pool", pool=policy_pb2.SCORE_POOL_MAX),
    _parameter("l2norm", "pool", pool=9),
    _parameter("l2norm", "group_reduce", group_reduce=9),
    _parameter("l2norm", "head_budget", head_budget=9),
    _parameter("l2norm", "arithmetic", arithmetic=9),
    _parameter("l2norm", "heavy_tokens", heavy_tokens=8),
    _parameter("l2norm", "squared", squared=False),
    _parameter("l2norm", "normalise", normalise=9),
    _parameter("h2o", "heavy_tokens", heavy_tokens=0),
    _parameter("h2o", "recent_tokens", recent_tokens=_BIG),
    _parameter("h2o", "budget_tokens", budget_tokens=64),
    _parameter("h2o", "group_reduce", group_reduce=policy_pb2.GROUP_REDUCE_MAX),
    _parameter("h2o", "decay", decay=0.0),
    _parameter("h2o", "decay", decay=math.nan),
    _parameter("h2o", "normalise", decay=0.5, normalise=policy_pb2.SCORE_NORMALISE_MEAN),
    _parameter("tova", "budget_tokens", budget_tokens=0),
    _parameter("tova", "budget_tokens", budget_tokens=4, protect_last_tokens=5),
    _parameter("tova", "group_reduce", group_reduce=policy_pb2.GROUP_REDUCE_MEAN),
    _parameter("cascade", "sink_tokens", sink_tokens=-1),
    _parameter("cascade", "cascade_tokens", cascade_tokens=10),
    _parameter("cascade", "cascade_tokens", cascade_tokens=_BIG),
    _parameter("cascade", "cascades", cascades=0),
    _parameter("cascade", "cascades", cascades=_BIG),
    _parameter("cascade", "periods", periods=Periods()),
    _parameter("cascade", "periods", periods=Periods(tokens=[1, 2, 4, 0])),
    _parameter("cascade", "periods", cascades=1, periods=Periods(tokens=[_BIG])),
    _parameter("cascade", "periods.tokens", periods=Periods(tokens=[1] * 17)),
    _parameter("cascade", "stride_tokens", stride_tokens=0),
    _parameter("cascade", "stride_tokens", stride_tokens=65537),
    _parameter("cascade", "decay", decay=math.nan),
    _parameter("cascade", "group_reduce", group_reduce=9),
    _parameter("cascade", "recent_tokens", recent_tokens=8),
    _parameter("cascade", "triggers", triggers=Triggers(prefill_end=True)),
    _parameter("cascade", "visible", visible=policy_pb2.VISIBLE_WHEN_DUE),
    _parameter("streaming_llm", "recent_tokens", recent_tokens=1),
    _parameter("streaming_llm", "recent_tokens", recent_tokens=_BIG),
    _parameter("streaming_llm", "eager_fill", eager_fill=True),
    _parameter("streaming_llm", "shared_prefix", shared_prefix=policy_pb2.SHARED_PREFIX_KEEP),
    _parameter("snapkv", "group_reduce", group_reduce=policy_pb2.GROUP_REDUCE_MEDIAN),
    _parameter("h2o", "group_reduce", group_reduce=policy_pb2.GROUP_REDUCE_MEDIAN),
    *_unfit("cascade", "streaming_llm"),
    Case("no policy", "SetPolicy",
         lambda w: sequence_pb2.SetPolicyRequest(sequence_id=w.idle), "policy"),
    Case("budget 0", "Compress",
         lambda w: sequence_pb2.CompressRequest(sequence_id=w.floored, budget_tokens=0),
         "budget_tokens"),
    Case("budget 2^62", "Compress",
         lambda w: sequence_pb2.CompressRequest(sequence_id=w.floored, budget_tokens=_BIG),
         "budget_tokens"),
    Case("a budget for full", "Compress",
         lambda w: sequence_pb2.CompressRequest(sequence_id=w.idle, budget_tokens=2),
         "budget_tokens"),
]  # fmt: skip
