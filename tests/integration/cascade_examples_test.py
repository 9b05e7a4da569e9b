# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Worked examples of cascades over the wire, in real attention.

A key has its logits in dims that RoPE leaves alone, so that cache positions do not show in them:
dim i has what a query pays by its own dim i, and a query that gives log p there pays p.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import sluice
from oracle import Array

ROTARY_DIM, HEAD_DIM = 16, 32
FREE_DIMS = HEAD_DIM - ROTARY_DIM
NOTHING = -64.0  # the logit of what is paid 0
LAST_ROW_ONLY = 1e-30  # a decay with which a score is what the newest query pays
Held = dict[int, list[int]]  # by the newest token


@pytest.fixture
def session(client: sluice.Client) -> Iterator[sluice.Session]:
    with client.session("examples") as session:
        yield session


class Stream:
    """A sequence of one layer and kv head, which stores for token t the unit value t."""

    def __init__(
        self, client: sluice.Client, session: sluice.Session, policy: sluice.Policy, heads: int = 1
    ) -> None:
        frequencies = (100.0 ** -np.arange(0, 1, 2 / ROTARY_DIM)).tolist()
        model = sluice.ModelSpec.uniform(
            f"examples {heads}", layers=1, q_heads=heads, kv_heads=1, head_dim=HEAD_DIM, scale=1.0,
            keys_rotated=False,
            rope_tables=[sluice.RopeTable(inv_freq=frequencies, rotary_dim=ROTARY_DIM)],
        )  # fmt: skip
        self._session = session
        self.heads = heads
        self.sequence = client.create_sequence(
            client.register_model(model), policy=policy, session=session
        )

    def add(
        self, keys: Array, queries: Array, phase: sluice.Phase, *, turned: bool = False
    ) -> Array:
        """Tokens with keys `[rows, dims]` and queries `[rows, heads, dims]`; [rows, heads, v].

        `turned`: the cosine of the distance in cache positions is added to each logit.
        """
        rows, first = len(keys), self.sequence.length
        k = np.zeros((rows, 1, HEAD_DIM), np.float32)
        k[:, 0, ROTARY_DIM : ROTARY_DIM + keys.shape[1]] = keys
        q = np.zeros((rows, self.heads, HEAD_DIM), np.float32)
        q[:, :, ROTARY_DIM : ROTARY_DIM + queries.shape[2]] = queries
        k[:, :, 0] = q[:, :, 0] = 1.0 if turned else 0.0
        v = np.zeros((rows, 1, HEAD_DIM), np.float32)
        v[np.arange(rows), 0, (first + np.arange(rows)) % HEAD_DIM] = 1
        entry = sluice.StepEntry(
            self.sequence, token_count=rows, phase=phase, prefill_end=phase == sluice.Phase.PREFILL
        )
        return self._session.begin_step([entry]).attend(0, q, k, v).out

    def kept(self) -> list[int]:
        return list(self.sequence.explain(0, 0).kept_positions)


# ---- tokens that keep the score they come with


def cascade(sinks: int, ring_slots: int, rings: int, *, eager: bool = True) -> sluice.Policy:
    return sluice.Policy(
        "cascade", sink_tokens=sinks, cascade_tokens=ring_slots * rings, cascades=rings,
        eager_fill=eager, stride_tokens=1, decay=LAST_ROW_ONLY,
    )  # fmt: skip


SCORES = (1.0, 0.5, 0.1, 0.9, 0.3, 0.2, 0.8, 0.4, 0.6, 0.05, 0.7, 0.15, 0.35)
FORTY_EQUAL = (1.0,) * 40
FORTY_FALLING = tuple(40.0 - token for token in range(40))
EAGER = {
    1: [0, 1],
    2: [0, 1, 2],
    3: [0, 1, 2, 3],
    4: [0, 1, 2, 3, 4],
    5: [0, 2, 3, 4, 5],
    6: [0, 2, 3, 5, 6],
    7: [0, 3, 5, 6, 7],
    8: [0, 3, 6, 7, 8],
    9: [0, 6, 7, 8, 9],
    10: [0, 6, 8, 9, 10],
    11: [0, 8, 9, 10, 11],
    12: [0, 8, 10, 11, 12],
}
NOT_EAGER = {
    4: [0, 1, 3, 4],
    5: [0, 1, 3, 4, 5],
    6: [0, 1, 3, 5, 6],
    **{token: EAGER[token] for token in range(7, 13)},
}
EXAMPLES = {
    "eager": (cascade(1, 2, 2), SCORES, EAGER),
    "not eager": (cascade(1, 2, 2, eager=False), SCORES, NOT_EAGER),
    "equal": (cascade(2, 2, 3), FORTY_EQUAL, {39: [0, 1, 31, 33, 35, 37, 38, 39]}),
    "falling": (cascade(2, 2, 3), FORTY_FALLING, {39: [0, 1, 28, 32, 34, 36, 38, 39]}),
    "one ring": (cascade(2, 6, 1), FORTY_FALLING, {39: [0, 1, *range(34, 40)]}),
}


@pytest.mark.parametrize("prompt", [1, 13])
@pytest.mark.parametrize("name", EXAMPLES)
def test_tokens_of_fixed_scores_leave_exactly_the_expected_ones(
    client: sluice.Client, session: sluice.Session, name: str, prompt: int
) -> None:
    """Every query pays each token in proportion to the token's score."""
    policy, scores, held = EXAMPLES[name]
    stream = Stream(client, session, policy)
    keys = np.log(np.asarray(scores))[:, None]
    queries = np.ones((len(scores), 1, 1))
    stream.add(keys[:prompt], queries[:prompt], sluice.Phase.PREFILL)
    checked = 0
    for token in range(prompt - 1, len(scores)):
        if token >= prompt:
            out = stream.add(
                keys[token : token + 1], queries[token : token + 1], sluice.Phase.DECODE
            )
        if token not in held:
            continue
        checked += 1
        assert stream.kept() == held[token], f"newest token {token}"
        if token >= prompt and token - 1 in held:
            seen = [*held[token - 1], token]
            due = np.zeros(HEAD_DIM)
            due[seen] = np.asarray(scores)[seen] / np.asarray(scores)[seen].sum()
            np.testing.assert_allclose(out[0, 0], due, atol=1e-6)
    assert checked == sum(token >= prompt - 1 for token in held)


# ---- the moving average of what each token is paid

SINK, RING, CHUNK_0, CHUNK_1, NEWEST = 0, 1, 4, 5, 6
Paid = dict[int, float]  # by token; the sink gets the rest
# Token 1 gathers 1.6; then the chunk of the example, tokens 4 and 5.
AVERAGE: list[Paid] = [
    {}, {RING: 1.0}, {RING: 1.0}, {RING: 0.85}, {RING: 0.5, CHUNK_0: 0.5},
    {RING: 0.2, CHUNK_0: 0.3, CHUNK_1: 0.5},
]  # fmt: skip
RECENT = 5


def knockout(*, stride: int, decay: float, reduce: sluice.GroupReduce) -> sluice.Policy:
    """A sink, the last 5 tokens, and of all others the one that outdoes the one before it."""
    return sluice.Policy(
        "cascade", sink_tokens=1, cascade_tokens=2 * RECENT, cascades=2, periods=(1, 1 << 20),
        eager_fill=False, stride_tokens=stride, decay=decay, group_reduce=reduce,
    )  # fmt: skip


def one_hot(first: int, count: int) -> Array:
    return np.eye(FREE_DIMS)[first : first + count]


def paying(rows: Sequence[Sequence[Paid]]) -> Array:
    """Queries `[rows, heads, dims]` that pay each token its share."""
    p = np.zeros((len(rows), len(rows[0]), FREE_DIMS))
    for index, row in enumerate(rows):
        for head, paid in enumerate(row):
            p[index, head, list(paid)] = list(paid.values())
    p[:, :, SINK] = 1 - p.sum(axis=2)
    return np.where(p > 1e-9, np.log(np.maximum(p, 1e-9)), NOTHING)


def winner_of(stream: Stream, rows: Sequence[Sequence[Paid]], last: int) -> int:
    """Decodes with these rows, then such as pay the sink alone, until token `last` has fought."""
    while stream.sequence.length <= last + RECENT:
        token = stream.sequence.length
        row, rows = (rows[0], rows[1:]) if rows else ([{}] * stream.heads, rows)
        stream.add(one_hot(token, 1), paying([row]), sluice.Phase.DECODE)
    sink, winner, *recent = stream.kept()
    assert (sink, recent) == (SINK, list(range(last + 1, last + 1 + RECENT)))
    return winner


def averaged(client: sluice.Client, session: sluice.Session, chunk: int) -> Stream:
    """Behind the chunk of the example: 0.85 for token 1, 0.55 for 4, 0.5 for 5."""
    policy = knockout(stride=2, decay=0.5, reduce=sluice.GroupReduce.MAX)
    stream = Stream(client, session, policy)
    for first in range(0, len(AVERAGE), chunk):
        rows = AVERAGE[first : first + chunk]
        out = stream.add(
            one_hot(first, len(rows)), paying([[paid] for paid in rows]), sluice.Phase.PREFILL
        )
        due = np.zeros((len(rows), HEAD_DIM))
        for row, paid in enumerate(rows):
            due[row, list(paid)] = list(paid.values())
            due[row, SINK] = 1 - sum(paid.values())
        np.testing.assert_allclose(out[:, 0], due, atol=1e-6)
    return stream


@pytest.mark.parametrize("chunk", [2, 6])
@pytest.mark.parametrize(
    ("paid", "even"),
    [({CHUNK_0: 1.0}, 0.15), ({CHUNK_1: 1.0}, 0.175), ({NEWEST: 1.0}, 0.425)],
    ids=["first of the chunk", "second of the chunk", "newest"],
)
def test_scores_are_those_of_the_worked_average(
    client: sluice.Client, session: sluice.Session, paid: Paid, even: float, chunk: int
) -> None:
    """Paid `even` by the row behind the chunk, a token has what is left of the ring's 0.85."""
    (token,) = paid
    for share, winner in ((even - 0.001, RING), (even + 0.001, token)):
        stream = averaged(client, session, chunk)
        assert winner_of(stream, [[{token: share}]], NEWEST) == winner


@pytest.mark.parametrize(
    ("reduce", "score"),
    [
        (sluice.GroupReduce.MEAN, 0.4),
        (sluice.GroupReduce.MAX, 0.6),
        (sluice.GroupReduce.MEDIAN, 0.2),
    ],
)
def test_two_query_heads_become_one_score_as_in_the_worked_example(
    client: sluice.Client, session: sluice.Session, reduce: sluice.GroupReduce, score: float
) -> None:
    for other, winner in ((score + 0.001, 1), (score - 0.001, 2)):
        stream = Stream(client, session, knockout(stride=1, decay=1.0, reduce=reduce), heads=2)
        rows: list[list[Paid]] = [[{}, {}], [{1: other}, {1: other}], [{2: 0.2}, {2: 0.6}]]
        assert winner_of(stream, rows, 2) == winner


# ---- StreamingLLM


@pytest.mark.parametrize("prompt", [1, 5, 9])
def test_streaming_llm_attends_to_the_sinks_and_the_newest_at_rolled_positions(
    client: sluice.Client, session: sluice.Session, prompt: int
) -> None:
    """Two sinks and three of the newest; a key weighs by the cosine of its distance."""
    policy = sluice.Policy("streaming_llm", sink_tokens=2, recent_tokens=3, stride_tokens=2)
    stream = Stream(client, session, policy)
    for token in range(prompt - 1, 10):
        rows = prompt if token == prompt - 1 else 1
        phase = sluice.Phase.PREFILL if token == prompt - 1 else sluice.Phase.DECODE
        ones = np.ones((rows, 1))
        out = stream.add(0 * ones, 0 * ones[:, None], phase, turned=True)
        seen = [0, 1, token - 2, token - 1, token] if token > 3 else list(range(token + 1))
        assert stream.kept() == [*seen[:2], *seen[-2:]] if token > 3 else seen
        if phase == sluice.Phase.DECODE:
            weights = np.exp(np.cos(len(seen) - 1 - np.arange(len(seen))))
            due = np.zeros(HEAD_DIM)
            due[seen] = weights / weights.sum()
            np.testing.assert_allclose(out[0, 0], due, atol=1e-6)
