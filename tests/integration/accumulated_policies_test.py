# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The presets that score by the attention of every query, over the wire, against numpy."""

from collections.abc import Iterator

import numpy as np
import oracle
import pytest
import sluice
from numpy.typing import NDArray
from oracle import HEAD_DIM, KV_HEADS, LAYERS, QUERY_HEADS, Array

TOKENS = 300
HEAVY, RECENT = 40, 24
BUDGET = 70
MARGIN = 1e-4  # of a score: two that are closer may change places
CHUNKS = (1, 7, 64, TOKENS)
POLICIES = {
    "h2o": sluice.Policy("h2o", heavy_tokens=HEAVY, recent_tokens=RECENT),
    "tova": sluice.Policy("tova", budget_tokens=BUDGET),
}
Layers = list[tuple[Array, Array, Array]]


@pytest.fixture(scope="module")
def tokens() -> Layers:
    generator = np.random.default_rng(20261122)
    return [oracle.random_rows(TOKENS, generator) for _ in range(LAYERS)]


@pytest.fixture
def session(client: sluice.Client) -> Iterator[sluice.Session]:
    with client.session("scores") as session:
        yield session


def prefilled(
    client: sluice.Client, session: sluice.Session, preset: str, layers: Layers, chunk: int
) -> sluice.KvSequence:
    model = client.register_model(oracle.spec("scores"))
    sequence = client.create_sequence(model, policy=POLICIES[preset], session=session)
    while sequence.length < TOKENS:
        first = sequence.length
        end = min(first + chunk, TOKENS)
        entry = sluice.StepEntry(
            sequence, token_count=end - first, phase=sluice.Phase.PREFILL, prefill_end=end == TOKENS
        )
        step = session.begin_step([entry])
        for layer, (q, k, v) in enumerate(layers):
            step.attend(layer, q[first:end], k[first:end], v[first:end])
        assert step.closed
    return sequence


def kept_of(sequence: sluice.KvSequence) -> list[list[list[int]]]:
    """[layer][kv head], once the job that the end of prefill triggered is done."""
    return [
        [list(sequence.explain(layer, head).kept_positions) for head in range(KV_HEADS)]
        for layer in range(LAYERS)
    ]


def probabilities(q: Array, k: Array) -> NDArray[np.float64]:
    """[q_heads, queries, slots], causal."""
    wide = np.repeat(k.astype(np.float64), QUERY_HEADS // KV_HEADS, axis=1)
    logits = np.einsum("thd,shd->hts", q.astype(np.float64), wide) / np.sqrt(HEAD_DIM)
    logits[:, np.triu(np.ones((len(q), len(k)), bool), 1)] = -np.inf
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True)


def assert_best(kept: list[int], scores: NDArray[np.float64], count: int) -> None:
    """The best `count` slots of those scored; near ties may fall either way."""
    assert len(kept) == count
    lowest = np.sort(scores)[-count]
    assert set(np.flatnonzero(scores > lowest * (1 + MARGIN))) <= set(kept)
    assert min(scores[kept]) >= lowest * (1 - MARGIN)


def test_h2o_keeps_the_heavy_hitters_and_the_newest(
    client: sluice.Client, session: sluice.Session, tokens: Layers
) -> None:
    sequence = prefilled(client, session, "h2o", tokens, 64)
    group = QUERY_HEADS // KV_HEADS
    for layer, heads in enumerate(kept_of(sequence)):
        q, k, _ = tokens[layer]
        sums = probabilities(q, k).sum(axis=1).reshape(KV_HEADS, group, TOKENS).mean(axis=1)
        for head, kept in enumerate(heads):
            assert kept[-RECENT:] == list(range(TOKENS - RECENT, TOKENS))
            assert_best(kept[:-RECENT], sums[head, : TOKENS - RECENT], HEAVY)


def test_tova_keeps_what_the_newest_query_looks_at_in_all_heads(
    client: sluice.Client, session: sluice.Session, tokens: Layers
) -> None:
    sequence = prefilled(client, session, "tova", tokens, 64)
    for layer, heads in enumerate(kept_of(sequence)):
        q, k, _ = tokens[layer]
        assert heads.count(heads[0]) == KV_HEADS
        assert_best(heads[0], probabilities(q, k)[:, -1].mean(axis=0), BUDGET)


@pytest.mark.parametrize("preset", POLICIES)
def test_chunks_do_not_show_in_what_is_kept(
    client: sluice.Client, session: sluice.Session, tokens: Layers, preset: str
) -> None:
    found = [kept_of(prefilled(client, session, preset, tokens, chunk)) for chunk in CHUNKS]
    assert found.count(found[0]) == len(CHUNKS)


@pytest.mark.parametrize("preset", POLICIES)
def test_keys_without_queries_are_refused(
    client: sluice.Client, session: sluice.Session, tokens: Layers, preset: str
) -> None:
    model = client.register_model(oracle.spec("scores"))
    sequence = client.create_sequence(model, policy=POLICIES[preset], session=session)
    layers = [sluice.LayerRows(i, k, v) for i, (_, k, v) in enumerate(tokens)]
    entry = sluice.StepEntry(sequence, token_count=TOKENS, phase=sluice.Phase.PREFILL)
    with pytest.raises(sluice.FailedPrecondition, match="POLICY_NEEDS") as error:
        session.append(entry, layers)
    assert error.value.field == "layers"
