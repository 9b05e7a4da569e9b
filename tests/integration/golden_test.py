# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The methods' worked examples over the wire: real tensors that give the examples' scores.

Keys are the axes of the head dim, so that a query can pay what it likes to each token; keys of
given norms, and those of long prompts, are short vectors padded with zeros.
"""

from collections.abc import Sequence

import numpy as np
import pytest
import sluice
from numpy.typing import ArrayLike, NDArray
from sluice import Policy, Ratio, ScoreNormalise, ScorePool, Triggers

DIM = 16
NEAR = 1e-5  # scores are fp32
NOTHING = 1e-12  # a probability whose logarithm is finite
EVERY_TOKEN = Triggers(prefill_end=True, every_tokens=1, hysteresis_tokens=0)
# By the ratio a head keeps, there is no hysteresis.
EVERY_TOKEN_BY_RATIO = Triggers(prefill_end=True, every_tokens=1)
Floats = NDArray[np.float32]


def start(
    client: sluice.Client, policy: Policy, *, heads: int, layers: int = 1
) -> sluice.KvSequence:
    spec = sluice.ModelSpec.uniform(
        f"golden {layers} {heads}", layers=layers, q_heads=heads, kv_heads=heads, head_dim=DIM
    )
    return client.create_sequence(client.register_model(spec), policy=policy)


def entry(sequence: sluice.KvSequence, count: int, *, decode: bool) -> sluice.StepEntry:
    phase = sluice.Phase.DECODE if decode else sluice.Phase.PREFILL
    return sluice.StepEntry(sequence, token_count=count, phase=phase, prefill_end=not decode)


def held(sequence: sluice.KvSequence, heads: int, layers: int = 1) -> list[list[int]]:
    """[layer x kv head], once the jobs that are due are done."""
    return [
        list(sequence.explain(layer, head).kept_positions)
        for layer in range(layers)
        for head in range(heads)
    ]


# ---- L2-norm eviction


L2_KEYS = [[3, 4], [1, 0], [0, 2], [2, 2], [0, 1], [6, 0]]


def append(
    client: sluice.Client, sequence: sluice.KvSequence, heads: Sequence[ArrayLike], *, decode: bool
) -> None:
    """Keys `[tokens, at most DIM]` of each head, padded with zeros."""
    tokens = len(np.asarray(heads[0]))
    k = np.zeros((tokens, len(heads), DIM), np.float32)
    for head, keys in enumerate(heads):
        given = np.asarray(keys, np.float32)
        k[:, head, : given.shape[1]] = given
    client.append(entry(sequence, tokens, decode=decode), [sluice.LayerRows(0, k, k)])


def author(keep_ratio: float, prune_after: int, triggers: Triggers | None = None) -> Policy:
    return Policy(
        "l2norm", ratio=Ratio(keep_ratio, round_up=True), prune_after_tokens=prune_after,
        skip_layers=(), triggers=triggers,
    )  # fmt: skip


def fixed(budget: int) -> Policy:
    return Policy("l2norm", budget_tokens=budget, triggers=EVERY_TOKEN)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (author(0.5, 5), [1, 2, 4]),
        (author(0.5, 6), [0, 1, 2, 3, 4]),
        (Policy("l2norm", ratio=Ratio(0.5, of_removed=True), skip_layers=()), [1, 4]),
        (fixed(3), [1, 2, 4]),
    ],
    ids=["author", "below prune_after", "KnormPress", "fixed budget"],
)
def test_l2norm_of_a_prompt(client: sluice.Client, policy: Policy, kept: list[int]) -> None:
    sequence = start(client, policy, heads=1)
    append(client, sequence, [L2_KEYS[:5]], decode=False)
    told = sequence.explain(0, 0)
    assert list(told.kept_positions) == kept
    norms = [5, 1, 2, 2.828427, 1]
    np.testing.assert_allclose(told.scores, [-norms[t] for t in kept], rtol=NEAR)
    assert sequence.get().layers[0].kept_tokens == (len(kept),)


def test_l2norm_of_two_heads(client: sluice.Client) -> None:
    sequence = start(client, author(0.5, 5), heads=2)
    append(client, sequence, [L2_KEYS[:5], [[1], [2], [3], [4], [5]]], decode=False)
    assert held(sequence, 2) == [[1, 2, 4], [0, 1, 2]]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (fixed(3), [[0], [0, 1], [0, 1, 2], [1, 2, 3], [1, 2, 4]]),
        (author(0.5, 4, EVERY_TOKEN_BY_RATIO), [[0], [0, 1], [0, 1, 2], [1, 2], [1, 2, 4]]),
        (fixed(2), [[0], [0, 1], [1, 2], [1, 2], [1, 4], [1, 4]]),
    ],
    ids=["fixed budget", "saw-tooth", "the newest goes at once"],
)
def test_l2norm_token_by_token(
    client: sluice.Client, policy: Policy, kept: list[list[int]]
) -> None:
    sequence = start(client, policy, heads=1)
    for token, now in enumerate(kept):
        append(client, sequence, [L2_KEYS[token : token + 1]], decode=True)
        assert held(sequence, 1) == [now]


# ---- sinks and a recent window


def test_sink_window(client: sluice.Client) -> None:
    policy = Policy("sink_window", sink_tokens=2, recent_tokens=3, triggers=EVERY_TOKEN)
    prompt = start(client, policy, heads=1)
    append(client, prompt, [np.ones((10, 1))], decode=False)
    assert held(prompt, 1) == [[0, 1, 7, 8, 9]]
    grown = start(client, policy, heads=1)
    append(client, grown, [np.ones((5, 1))], decode=False)
    assert held(grown, 1) == [[0, 1, 2, 3, 4]]
    append(client, grown, [np.ones((2, 1))], decode=True)
    assert held(grown, 1) == [[0, 1, 4, 5, 6]]


# ---- by attention: a query's logits are the logarithms of what it pays


def query_for(pays: Sequence[float], slots: Sequence[int]) -> Floats:
    """A query that pays so much to the tokens at `slots`, whose keys are axes."""
    query = np.zeros(DIM, np.float32)
    query[list(slots)] = np.log(np.maximum(pays, NOTHING)) * np.sqrt(DIM)
    return query


def axes(first: int, count: int, heads: int) -> Floats:
    keys = np.eye(DIM, dtype=np.float32)[first : first + count]
    return np.repeat(keys[:, None], heads, axis=1)


def pay(
    client: sluice.Client,
    sequence: sluice.KvSequence,
    layers: Sequence[Sequence[Sequence[Floats]]],
    *,
    decode: bool = False,
) -> None:
    """A step of tokens with these queries, [layer][kv head][token]."""
    heads, tokens = len(layers[0]), len(layers[0][0])
    keys = axes(sequence.length, tokens, heads)
    step = client.begin_step([entry(sequence, tokens, decode=decode)])
    for layer, queries in enumerate(layers):
        q = np.stack([np.stack(rows) for rows in queries], axis=1)
        step.attend(layer, q, keys, keys)
    assert step.closed


H2O_ROWS = ([1], [0.6, 0.4], [0.1, 0.7, 0.2], [0.1, 0.5, 0.1, 0.3])


def h2o(normalise: ScoreNormalise) -> Policy:
    return Policy(
        "h2o", heavy_tokens=1, recent_tokens=2, normalise=normalise, triggers=EVERY_TOKEN
    )


def prompt_queries(rows: Sequence[Sequence[float]]) -> list[Floats]:
    return [query_for(row, range(len(row))) for row in rows]


def test_h2o(client: sluice.Client) -> None:
    sequence = start(client, h2o(ScoreNormalise.NONE), heads=1)
    pay(client, sequence, [[prompt_queries(H2O_ROWS)]])
    told = sequence.explain(0, 0)
    assert told.kept_positions == (0, 2, 3)
    np.testing.assert_allclose(told.scores, [1.8, 0.3, 0.3], rtol=NEAR)
    pay(client, sequence, [[[query_for([0.2, 0.5, 0.1, 0.2], [0, 2, 3, 4])]]], decode=True)
    told = sequence.explain(0, 0)
    assert told.kept_positions == (0, 3, 4)
    np.testing.assert_allclose(told.scores, [2.0, 0.4, 0.2], rtol=NEAR)
    shares = [one.evicted_mass_share for one in client.inspect(sequence.id).evictions]
    np.testing.assert_allclose(shares, [1.6 / 3.4, 0.8 / 2.8], rtol=NEAR)


def test_h2o_by_means(client: sluice.Client) -> None:
    sequence = start(client, h2o(ScoreNormalise.MEAN), heads=1)
    pay(client, sequence, [[prompt_queries(H2O_ROWS)]])
    told = sequence.explain(0, 0)
    assert told.kept_positions == (1, 2, 3)
    np.testing.assert_allclose(told.scores, [1.6 / 3, 0.15, 0.3], rtol=NEAR)


def test_tova(client: sluice.Client) -> None:
    policy = Policy("tova", budget_tokens=3, triggers=EVERY_TOKEN)
    sequence = start(client, policy, heads=2)
    rows = ([0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.1, 0.3])
    before = [np.zeros(DIM, np.float32)] * 3
    pay(client, sequence, [[[*before, query_for(row, range(4))] for row in rows]])
    assert held(sequence, 2) == [[0, 2, 3]] * 2
    for head, row in enumerate(rows):
        np.testing.assert_allclose(
            sequence.explain(0, head).scores, np.delete(row, 1), rtol=NEAR
        )


# ---- by the last queries


WINDOW = 2


def observed(scores: Sequence[float]) -> list[Floats]:
    """Queries of a prompt whose last WINDOW rows pay the earlier tokens `scores` together, and
    the rest to themselves."""
    prefix = len(scores)
    each = np.asarray(scores) / WINDOW
    queries = [np.zeros(DIM, np.float32)] * prefix
    for seen in range(1, WINDOW + 1):
        own = [(1 - each.sum()) / seen] * seen
        queries.append(query_for([*each, *own], range(prefix + seen)))
    return queries


def window_policy(preset: str, budget: int, **other: object) -> Policy:
    values = {"pool": ScorePool.NONE, "window_tokens": WINDOW, **other}
    return Policy(preset, budget_tokens=budget, **values)  # type: ignore[arg-type]


def share(sequence: sluice.KvSequence) -> float:
    """Of the scores, what the last job evicted."""
    last = sequence.get().last_job
    assert last is not None
    assert last.evicted_mass_share is not None
    return last.evicted_mass_share


SNAPKV_SCORES = [0.30, 0.02, 0.02, 0.40, 0.02, 0.04]
SNAPKV_AVERAGES = np.array([0.32, 0.34, 0.44, 0.44, 0.46, 0.06]) / 3
SNAPKV_MAXIMA = [0.30, 0.30, 0.40, 0.40, 0.40, 0.04]


@pytest.mark.parametrize(
    ("pool", "ranked", "best"),
    [
        (ScorePool.AVERAGE, SNAPKV_AVERAGES, [2, 3, 4]),
        (ScorePool.MAX, SNAPKV_MAXIMA, [2, 3, 4]),
        (ScorePool.NONE, SNAPKV_SCORES, [0, 3, 5]),
    ],
)
def test_snapkv(
    client: sluice.Client, pool: ScorePool, ranked: ArrayLike, best: list[int]
) -> None:
    width = None if pool is ScorePool.NONE else 3
    policy = window_policy("snapkv", 5, pool=pool, pool_width=width)
    sequence = start(client, policy, heads=1)
    pay(client, sequence, [[observed(SNAPKV_SCORES)]])
    assert held(sequence, 1) == [[*best, 6, 7]]
    kept = np.asarray(ranked)[best].sum() / np.sum(ranked)
    assert share(sequence) == pytest.approx(1 - kept, rel=NEAR)


@pytest.mark.parametrize("pool", [ScorePool.AVERAGE, ScorePool.MAX])
def test_plateaus_go_to_the_lower_position(client: sluice.Client, pool: ScorePool) -> None:
    sequence = start(client, window_policy("snapkv", 5, pool=pool, pool_width=3), heads=1)
    pay(client, sequence, [[observed(np.array([0, 0, 6, 0, 0, 0, 3]) / 10)]])
    assert held(sequence, 1) == [[1, 2, 3, 7, 8]]


@pytest.mark.parametrize(
    ("tokens", "budgets"), [(1000, [110, 74, 38, 2]), (100, [56] * 4), (63, [55] * 4)]
)
def test_pyramidkv(client: sluice.Client, tokens: int, budgets: list[int]) -> None:
    """Every query pays less and less from the first token on."""
    layers, window = 4, 8
    policy = window_policy("pyramidkv", 64, window_tokens=window)
    sequence = start(client, policy, heads=1, layers=layers)
    k = np.zeros((tokens, 1, DIM), np.float32)
    k[:, 0, 0] = -0.01 * np.arange(tokens) * np.sqrt(DIM)
    q = np.zeros_like(k)
    q[:, 0, 0] = 1
    step = client.begin_step([entry(sequence, tokens, decode=False)])
    for layer in range(layers):
        step.attend(layer, q, k, k)
    last = range(tokens - window, tokens)
    assert held(sequence, 1, layers) == [[*range(count), *last] for count in budgets]
    kept = [usage.kept_tokens for usage in sequence.get().layers]
    assert kept == [(count + window,) for count in budgets]


ADAKV_SCORES = (
    [0.9, 0.04, 0.02, 0.01, 0.01, 0.01, 0.005, 0.005],
    [0.2, 0.15, 0.15, 0.12, 0.11, 0.1, 0.09, 0.08],
)


@pytest.mark.parametrize(
    ("form", "counts"),
    [(sluice.HeadBudget.OFFICIAL, (3, 7)), (sluice.HeadBudget.SAFEGUARD, (2, 8))],
)
def test_adakv(client: sluice.Client, form: sluice.HeadBudget, counts: tuple[int, int]) -> None:
    sequence = start(client, window_policy("adakv", 7, alpha=0.2, head_budget=form), heads=2)
    pay(client, sequence, [[observed(row) for row in ADAKV_SCORES]])
    assert held(sequence, 2) == [[*range(count), 8, 9] for count in counts]
    kept = sum(sum(row[:count]) for row, count in zip(ADAKV_SCORES, counts, strict=True))
    assert share(sequence) == pytest.approx(1 - kept / 2, rel=NEAR)


DYNAMICKV_SCORES = [  # [layer][head][token]
    [[120, 3, 5, 60, 118, 2, 1, 4], [7, 116, 8, 9, 114, 6, 58, 10]],
    [[130, 128, 11, 126, 124, 12, 62, 13], [122, 14, 121, 119, 117, 64, 15, 16]],
    [[150, 149, 148, 147, 146, 145, 17, 18], [144, 143, 19, 142, 141, 140, 139, 20]],
    [[160, 21, 159, 22, 158, 23, 157, 24], [25, 156, 26, 155, 27, 154, 28, 153]],
]
DYNAMICKV_BEST = [
    [[0, 4], [1, 4]],
    [[0, 1, 3, 4], [0, 2, 3, 4]],
    [[0, 1, 2, 3, 4, 5], [0, 1, 3, 4, 5, 6]],
    [[0, 2, 4, 6], [1, 3, 5, 7]],
]


def dynamickv(arithmetic: sluice.LayerArithmetic) -> Policy:
    return window_policy("dynamickv", 6, r_max=2, update_every_layers=2, arithmetic=arithmetic)


ARITHMETICS = [sluice.LayerArithmetic.REFERENCE, sluice.LayerArithmetic.EXACT]


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_dynamickv(client: sluice.Client, arithmetic: sluice.LayerArithmetic) -> None:
    sequence = start(client, dynamickv(arithmetic), heads=2, layers=4)
    scores = np.array(DYNAMICKV_SCORES) / 1000
    pay(client, sequence, [[observed(row) for row in layer] for layer in scores])
    wanted = [[*best, 8, 9] for layer in DYNAMICKV_BEST for best in layer]
    assert held(sequence, 2, 4) == wanted
    info = sequence.get()
    assert [usage.kept_tokens for usage in info.layers] == [(4, 4), (6, 6), (8, 8), (6, 6)]
    assert info.last_job is not None
    for layer, loss in enumerate(info.last_job.layers):
        of_heads = zip(scores[layer], DYNAMICKV_BEST[layer], strict=True)
        kept = sum(row[best].sum() for row, best in of_heads)
        assert (loss.layer, loss.evicted_slots) == (layer, [12, 8, 4, 8][layer])
        assert loss.evicted_mass_share == pytest.approx(1 - kept / scores[layer].sum(), rel=1e-4)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_dynamickv_leaves_a_short_prompt(
    client: sluice.Client, arithmetic: sluice.LayerArithmetic
) -> None:
    sequence = start(client, dynamickv(arithmetic), heads=2, layers=4)
    pay(client, sequence, [[observed([0.1, 0.2, 0.1, 0.3])] * 2] * 4)
    assert held(sequence, 2, 4) == [list(range(6))] * 8
