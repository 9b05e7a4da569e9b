# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""How a sequence is kept inside its budget: a preset, and what is to differ from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sluice._generated import policy_pb2

_VALUES = (
    "sink_tokens",
    "recent_tokens",
    "budget_tokens",
    "prune_after_tokens",
    "protect_first_tokens",
    "protect_last_tokens",
    "window_tokens",
    "pool_width",
    "beta",
    "low_end_tokens",
    "alpha",
    "r_max",
    "update_every_layers",
    "heavy_tokens",
    "decay",
    "squared",
    "cascade_tokens",
    "cascades",
    "eager_fill",
    "stride_tokens",
)


@dataclass(frozen=True)
class Ratio:
    """A share of a head cache's tokens. `of_removed`: the share that goes, else the one kept."""

    value: float
    of_removed: bool = False
    round_up: bool = False


@dataclass(frozen=True)
class Triggers:
    """When a policy acts by itself; given at all, it replaces the preset's triggers."""

    prefill_end: bool = False
    once: bool = False
    every_tokens: int | None = None
    hysteresis_tokens: int | None = None
    pressure: bool = False


class Visible(Enum):
    """Whether a step waits for a due job."""

    DEFAULT = policy_pb2.VISIBLE_UNSPECIFIED
    WHEN_DUE = policy_pb2.VISIBLE_WHEN_DUE
    WHEN_READY = policy_pb2.VISIBLE_WHEN_READY


class SharedPrefix(Enum):
    """What becomes of tokens that the sequence adopted, or had when it was forked."""

    DEFAULT = policy_pb2.SHARED_PREFIX_UNSPECIFIED
    COMPRESS = policy_pb2.SHARED_PREFIX_COMPRESS
    KEEP = policy_pb2.SHARED_PREFIX_KEEP


class ScorePool(Enum):
    """How a token's window score takes in those of its neighbours."""

    DEFAULT = policy_pb2.SCORE_POOL_UNSPECIFIED
    NONE = policy_pb2.SCORE_POOL_NONE
    AVERAGE = policy_pb2.SCORE_POOL_AVERAGE
    MAX = policy_pb2.SCORE_POOL_MAX


class GroupReduce(Enum):
    """How the scores of the query heads of one kv head become one; the median: `cascade` only."""

    DEFAULT = policy_pb2.GROUP_REDUCE_UNSPECIFIED
    MEAN = policy_pb2.GROUP_REDUCE_MEAN
    MAX = policy_pb2.GROUP_REDUCE_MAX
    SUM = policy_pb2.GROUP_REDUCE_SUM
    MEDIAN = policy_pb2.GROUP_REDUCE_MEDIAN


class HeadBudget(Enum):
    """How the heads of a layer share its budget (AdaKV)."""

    DEFAULT = policy_pb2.HEAD_BUDGET_UNSPECIFIED
    OFFICIAL = policy_pb2.HEAD_BUDGET_OFFICIAL
    SAFEGUARD = policy_pb2.HEAD_BUDGET_SAFEGUARD


class LayerArithmetic(Enum):
    """How the layers' budgets follow from their winners (DynamicKV)."""

    DEFAULT = policy_pb2.LAYER_ARITHMETIC_UNSPECIFIED
    REFERENCE = policy_pb2.LAYER_ARITHMETIC_REFERENCE
    EXACT = policy_pb2.LAYER_ARITHMETIC_EXACT


class ScoreNormalise(Enum):
    """What of a token's accumulated score is compared: all of it, or its mean over query rows."""

    DEFAULT = policy_pb2.SCORE_NORMALISE_UNSPECIFIED
    NONE = policy_pb2.SCORE_NORMALISE_NONE
    MEAN = policy_pb2.SCORE_NORMALISE_MEAN


_ENUMS: dict[str, type[Enum]] = {
    "visible": Visible,
    "shared_prefix": SharedPrefix,
    "pool": ScorePool,
    "group_reduce": GroupReduce,
    "head_budget": HeadBudget,
    "arithmetic": LayerArithmetic,
    "normalise": ScoreNormalise,
}


@dataclass(frozen=True)
class Policy:
    """A preset and its parameters; None is the preset's default.

    Raises TypeError for a ratio that is no Ratio, triggers that are no Triggers, and a choice that
    is not of its Enum. The daemon refuses a parameter that the preset does not have
    (InvalidArgument, naming it).
    """

    preset: str = "full"
    sink_tokens: int | None = None
    recent_tokens: int | None = None
    budget_tokens: int | None = None
    ratio: Ratio | None = None
    prune_after_tokens: int | None = None
    skip_layers: Sequence[int] | None = None
    protect_first_tokens: int | None = None
    protect_last_tokens: int | None = None
    window_tokens: int | None = None
    pool: ScorePool = ScorePool.DEFAULT
    pool_width: int | None = None
    group_reduce: GroupReduce = GroupReduce.DEFAULT
    beta: int | None = None
    low_end_tokens: int | None = None
    alpha: float | None = None
    head_budget: HeadBudget = HeadBudget.DEFAULT
    r_max: float | None = None
    update_every_layers: int | None = None
    arithmetic: LayerArithmetic = LayerArithmetic.DEFAULT
    heavy_tokens: int | None = None
    decay: float | None = None
    squared: bool | None = None
    normalise: ScoreNormalise = ScoreNormalise.DEFAULT
    cascade_tokens: int | None = None
    cascades: int | None = None
    periods: Sequence[int] | None = None
    eager_fill: bool | None = None
    stride_tokens: int | None = None
    triggers: Triggers | None = None
    visible: Visible = Visible.DEFAULT
    shared_prefix: SharedPrefix = SharedPrefix.DEFAULT

    def __post_init__(self) -> None:
        for name, kind in (("ratio", Ratio), ("triggers", Triggers)):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name}: {value!r}; must be a sluice.{kind.__name__} or None")
        for name, choices in _ENUMS.items():
            if not isinstance(value := getattr(self, name), choices):
                raise TypeError(f"{name}: {value!r}; must be a sluice.{choices.__name__}")

    def to_wire(self) -> policy_pb2.Policy:
        wire = policy_pb2.Policy(preset=self.preset)
        parameters = wire.parameters
        for name in _VALUES:
            if (value := getattr(self, name)) is not None:
                setattr(parameters, name, value)
        if self.ratio is not None:
            parameters.ratio.CopyFrom(_ratio_to_wire(self.ratio))
        if self.skip_layers is not None:
            parameters.skip_layers.CopyFrom(policy_pb2.LayerSet(layers=self.skip_layers))
        if self.periods is not None:
            parameters.periods.CopyFrom(policy_pb2.CascadePeriods(tokens=self.periods))
        if self.triggers is not None:
            parameters.triggers.CopyFrom(_triggers_to_wire(self.triggers))
        for name in _ENUMS:
            setattr(parameters, name, getattr(self, name).value)
        return wire


def policy_to_wire(policy: Policy | None) -> policy_pb2.Policy | None:
    """Raises TypeError for what is no policy, such as the name of a preset."""
    if policy is None:
        return None
    if not isinstance(policy, Policy):
        raise TypeError(f"policy: {policy!r}; must be a sluice.Policy, as sluice.Policy('l2norm')")
    return policy.to_wire()


@dataclass(frozen=True)
class ResolvedPolicy:
    """A policy as the daemon applies it, and what it needs of its client."""

    policy: Policy
    observation_window_tokens: int
    every_query_row: bool
    joint_key_value_query: bool
    rope_table: bool
    allows_rollback: bool
    adopts_prefixes: bool

    @classmethod
    def from_wire(cls, wire: policy_pb2.ResolvedPolicy) -> "ResolvedPolicy":
        return cls(
            policy=_policy_from_wire(wire.preset, wire.parameters),
            observation_window_tokens=wire.needs.observation_window_tokens,
            every_query_row=wire.needs.every_query_row,
            joint_key_value_query=wire.needs.joint_key_value_query,
            rope_table=wire.needs.rope_table,
            allows_rollback=wire.allows_rollback,
            adopts_prefixes=wire.adopts_prefixes,
        )


def _policy_from_wire(preset: str, wire: policy_pb2.Parameters) -> Policy:
    values = {name: getattr(wire, name) for name in _VALUES if wire.HasField(name)}
    enums: dict[str, Any] = {name: kind(getattr(wire, name)) for name, kind in _ENUMS.items()}
    return Policy(
        preset=preset,
        ratio=_ratio_from_wire(wire.ratio) if wire.HasField("ratio") else None,
        skip_layers=tuple(wire.skip_layers.layers) if wire.HasField("skip_layers") else None,
        periods=tuple(wire.periods.tokens) if wire.HasField("periods") else None,
        triggers=_triggers_from_wire(wire.triggers) if wire.HasField("triggers") else None,
        **values,
        **enums,
    )


def _ratio_to_wire(ratio: Ratio) -> policy_pb2.Ratio:
    wire = policy_pb2.Ratio
    return wire(
        value=ratio.value,
        of=wire.OF_REMOVED if ratio.of_removed else wire.OF_KEPT,
        rounding=wire.ROUNDING_CEIL if ratio.round_up else wire.ROUNDING_FLOOR,
    )


def _ratio_from_wire(wire: policy_pb2.Ratio) -> Ratio:
    return Ratio(
        value=wire.value,
        of_removed=wire.of == policy_pb2.Ratio.OF_REMOVED,
        round_up=wire.rounding == policy_pb2.Ratio.ROUNDING_CEIL,
    )


def _triggers_to_wire(triggers: Triggers) -> policy_pb2.Triggers:
    wire = policy_pb2.Triggers(
        prefill_end=triggers.prefill_end, once=triggers.once, pressure=triggers.pressure
    )
    if triggers.every_tokens is not None:
        wire.every.tokens = triggers.every_tokens
        if triggers.hysteresis_tokens is not None:
            wire.every.hysteresis_tokens = triggers.hysteresis_tokens
    elif triggers.hysteresis_tokens is not None:
        raise ValueError("triggers.hysteresis_tokens: needs every_tokens")
    return wire


def _triggers_from_wire(wire: policy_pb2.Triggers) -> Triggers:
    has_every = wire.HasField("every")
    has_hysteresis = has_every and wire.every.HasField("hysteresis_tokens")
    return Triggers(
        prefill_end=wire.prefill_end,
        once=wire.once,
        every_tokens=wire.every.tokens if has_every else None,
        hysteresis_tokens=wire.every.hysteresis_tokens if has_hysteresis else None,
        pressure=wire.pressure,
    )
