# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The presets that score by the last queries, over the wire, against numpy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import oracle
import pytest
import sluice
from numpy.typing import NDArray
from oracle import HEAD_DIM, KV_HEADS, LAYERS, QUERY_HEADS, Array

TOKENS = 300
BUDGET, WINDOW, POOL_WIDTH = 80, 16, 5
MARGIN = 1e-4  # of a score: two that are closer may change places
PRESETS = ("snapkv", "pyramidkv", "adakv", "dynamickv")
CHUNKS = (1, 7, 64, TOKENS)
Kept = list[list[list[int]]]  # [layer][kv head]


@dataclass(frozen=True)
class Tokens:
    """[layer] queries, keys and values."""

    layers: list[tuple[Array, Array, Array]]

    def __len__(self) -> int:
        return len(self.layers[0][0])


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    generator = np.random.default_rng(20261121)
    return Tokens([oracle.random_rows(TOKENS, generator) for _ in range(LAYERS)])


@pytest.fixture(scope="module")
def tiny(client: sluice.Client) -> sluice.Model:
    return client.register_model(oracle.spec("windows"))


@pytest.fixture
def session(client: sluice.Client) -> Iterator[sluice.Session]:
    with client.session("windows") as session:
        yield session


def policy(preset: str, **other: object) -> sluice.Policy:
    sizes = {"budget_tokens": BUDGET, "window_tokens": WINDOW, "pool_width": POOL_WIDTH}
    return sluice.Policy(preset, pool=sluice.ScorePool.MAX, **{**sizes, **other})  # type: ignore[arg-type]


def entry(sequence: sluice.KvSequence, count: int) -> sluice.StepEntry:
    ends = sequence.length + count == TOKENS
    return sluice.StepEntry(
        sequence, token_count=count, phase=sluice.Phase.PREFILL, prefill_end=ends
    )


def attend_all(session: sluice.Session, sequence: sluice.KvSequence, t: Tokens, chunk: int) -> None:
    while sequence.length < len(t):
        first = sequence.length
        end = min(first + chunk, len(t))
        step = session.begin_step([entry(sequence, end - first)])
        for layer, (q, k, v) in enumerate(t.layers):
            step.attend(layer, q[first:end], k[first:end], v[first:end])
        assert step.closed


def append_all(session: sluice.Session, sequence: sluice.KvSequence, t: Tokens, chunk: int) -> None:
    """As an engine that attends itself, and brings the last queries of each chunk."""
    while sequence.length < len(t):
        first = sequence.length
        end = min(first + chunk, len(t))
        last = max(first, end - WINDOW)
        layers = [
            sluice.LayerRows(layer, k[first:end], v[first:end], q[last:end])
            for layer, (q, k, v) in enumerate(t.layers)
        ]
        session.append(entry(sequence, end - first), layers)


def kept_of(sequence: sluice.KvSequence) -> Kept:
    """Once the job that the end of prefill triggered is done: explain waits for it."""
    return [
        [list(sequence.explain(layer, head).kept_positions) for head in range(KV_HEADS)]
        for layer in range(LAYERS)
    ]


def window_scores(t: Tokens, layer: int) -> NDArray[np.float64]:
    """[kv_heads, slots before the window], pooled by the maximum."""
    q, k, _ = t.layers[layer]
    prefix = len(k) - WINDOW
    group = QUERY_HEADS // KV_HEADS
    wide = np.repeat(k.astype(np.float64), group, axis=1)
    logits = np.einsum("thd,shd->hts", q[prefix:].astype(np.float64), wide) / np.sqrt(HEAD_DIM)
    later = np.arange(len(k))[None, :] > prefix + np.arange(WINDOW)[:, None]
    logits[:, later] = -np.inf
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    of_heads = weights.sum(axis=1)[:, :prefix].reshape(KV_HEADS, group, prefix).mean(axis=1)
    side = POOL_WIDTH // 2
    padded = np.pad(of_heads, ((0, 0), (side, side)), constant_values=-np.inf)
    return np.stack([padded[:, i : i + prefix] for i in range(POOL_WIDTH)]).max(axis=0)


def assert_best(kept: list[int], scores: NDArray[np.float64], count: int) -> None:
    """The window and the best `count` before it; ties and near ties may fall either way."""
    prefix = len(scores)
    assert kept[-WINDOW:] == list(range(prefix, prefix + WINDOW))
    best = kept[:-WINDOW]
    assert len(best) == count
    lowest = np.sort(scores)[-count]
    inside = np.flatnonzero(scores > lowest * (1 + MARGIN))
    assert set(inside) <= set(best)
    assert min(scores[best]) >= lowest * (1 - MARGIN)


@pytest.mark.parametrize("bring", [attend_all, append_all])
def test_snapkv_keeps_what_the_last_queries_look_at(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens,
    bring: Callable[[sluice.Session, sluice.KvSequence, Tokens, int], None],
) -> None:  # fmt: skip
    sequence = client.create_sequence(tiny, policy=policy("snapkv"), session=session)
    bring(session, sequence, tokens, 64)
    for layer, heads in enumerate(kept_of(sequence)):
        scores = window_scores(tokens, layer)
        for head, kept in enumerate(heads):
            assert_best(kept, scores[head], BUDGET - WINDOW)


def test_pyramidkv_keeps_the_best_of_each_layers_own_budget(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens
) -> None:
    sequence = client.create_sequence(tiny, policy=policy("pyramidkv"), session=session)
    attend_all(session, sequence, tokens, 64)
    kept = kept_of(sequence)
    counts = [len(heads[0]) - WINDOW for heads in kept]
    assert counts[0] > counts[1]
    assert sum(counts) == LAYERS * (BUDGET - WINDOW)
    for layer, heads in enumerate(kept):
        scores = window_scores(tokens, layer)
        for head, positions in enumerate(heads):
            assert_best(positions, scores[head], counts[layer])


@pytest.mark.parametrize("preset", ["adakv", "dynamickv"])
def test_budgets_that_follow_the_scores_sum_up_and_keep_the_best(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens, preset: str
) -> None:
    sequence = client.create_sequence(tiny, policy=policy(preset), session=session)
    attend_all(session, sequence, tokens, 64)
    total = 0
    for layer, heads in enumerate(kept_of(sequence)):
        scores = window_scores(tokens, layer)
        for head, kept in enumerate(heads):
            assert_best(kept, scores[head], len(kept) - WINDOW)
            total += len(kept) - WINDOW
    # DynamicKV's exact arithmetic gives a layer whole tokens: up to a head's worth less.
    most = LAYERS * KV_HEADS * (BUDGET - WINDOW)
    assert most - LAYERS * KV_HEADS < total <= most


@pytest.mark.parametrize("preset", PRESETS)
def test_chunks_do_not_show_in_what_is_kept(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens, preset: str
) -> None:
    found = []
    for chunk in CHUNKS:
        sequence = client.create_sequence(tiny, policy=policy(preset), session=session)
        attend_all(session, sequence, tokens, chunk)
        found.append(kept_of(sequence))
    assert found.count(found[0]) == len(CHUNKS)


def test_without_queries_a_job_is_skipped_and_says_why(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens
) -> None:
    sequence = client.create_sequence(tiny, policy=policy("snapkv"), session=session)
    layers = [sluice.LayerRows(i, k, v) for i, (_, k, v) in enumerate(tokens.layers)]
    session.append(entry(sequence, TOKENS), layers)
    assert kept_of(sequence) == [[list(range(TOKENS))] * KV_HEADS] * LAYERS
    last = sequence.get().last_job
    assert last is not None
    assert last.outcome == "SKIPPED"
    assert "observation rows" in last.detail


def beside_pages(sequence: sluice.KvSequence) -> int:
    """Bytes that the sequence holds beside its keys and values."""
    info = sequence.get()
    return info.held_bytes - sum(sum(layer.held_bytes) for layer in info.layers)


def test_the_rows_are_given_up_once_the_end_of_prefill_has_used_them(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens
) -> None:
    sequence = client.create_sequence(tiny, policy=policy("snapkv"), session=session)
    step = session.begin_step([entry(sequence, 64)])
    for layer, (q, k, v) in enumerate(tokens.layers):
        step.attend(layer, q[:64], k[:64], v[:64])
    assert beside_pages(sequence) >= LAYERS * WINDOW * QUERY_HEADS * HEAD_DIM * 4
    attend_all(session, sequence, tokens, TOKENS)
    kept_of(sequence)
    assert beside_pages(sequence) == 0


def test_a_step_that_is_aborted_untouched_costs_no_rows(
    session: sluice.Session, tiny: sluice.Model, client: sluice.Client, tokens: Tokens
) -> None:
    sequence = client.create_sequence(tiny, policy=policy("snapkv"), session=session)
    begun = Tokens([(q[:200], k[:200], v[:200]) for q, k, v in tokens.layers])
    attend_all(session, sequence, begun, 50)
    session.begin_step([entry(sequence, WINDOW)]).abort()
    sequence.compress()
    last = sequence.get().last_job
    assert last is not None
    assert (last.outcome, last.detail) == ("COMMITTED", "")
