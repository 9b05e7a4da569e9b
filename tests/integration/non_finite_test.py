# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A key, value or query that is not finite never reaches a result, and is counted."""

from collections.abc import Iterator

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon

TOKENS = 40
BAD = [np.nan, np.inf, -np.inf]


@pytest.fixture
def client(daemon: Daemon) -> Iterator[sluice.Client]:
    with sluice.Client(daemon.address) as client:
        yield client


def rows(seed: int = 5) -> tuple[oracle.Array, oracle.Array, oracle.Array]:
    return oracle.random_rows(TOKENS, np.random.default_rng(seed))


def attend_all(
    client: sluice.Client, q: oracle.Array, k: oracle.Array, v: oracle.Array, **model: object
) -> sluice.AttendResult:
    kv_model = client.register_model(oracle.spec(**model))
    with client.create_sequence(kv_model) as sequence:
        step = client.begin_step([sluice.StepEntry(sequence, token_count=TOKENS)])
        found = step.attend(0, q, k, v, want_lse=True)
        step.abort()
    return found


def expect(
    found: sluice.AttendResult, q: oracle.Array, k: oracle.Array, v: oracle.Array, bad: oracle.Array
) -> None:
    """As dense attention in which the key and value rows `bad [tokens, kv_heads]` weigh nothing."""
    clean_k, clean_v = (np.where(bad[..., None], 0, one) for one in (k, v))
    out, lse = oracle.attend(q, clean_k, clean_v, bad)
    assert np.isfinite(found.out).all()
    np.testing.assert_allclose(found.out, out, atol=1e-4)
    np.testing.assert_allclose(found.lse, lse, atol=1e-4)
    assert found.non_finite_key_value_rows == bad.sum()


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("place", ["k", "v"])
def test_a_key_or_value_weighs_nothing(client: sluice.Client, place: str, value: float) -> None:
    q, k, v = rows()
    bad = np.zeros((TOKENS, oracle.KV_HEADS), bool)
    for token, head, dim in [(0, 0, 0), (17, 1, 63), (17, 1, 5), (39, 0, 31)]:
        (k if place == "k" else v)[token, head, dim] = value
        bad[token, head] = True
    expect(attend_all(client, q, k, v), q, k, v, bad)


@pytest.mark.parametrize("value", BAD)
def test_a_query_sees_nothing(client: sluice.Client, value: float) -> None:
    q, k, v = rows()
    bad = [(0, 0), (20, 3), (39, 1)]
    for token, head in bad:
        q[token, head, 7] = value
    found = attend_all(client, q, k, v)
    assert found.non_finite_query_rows == len(bad)
    assert found.non_finite_key_value_rows == 0
    clean = np.where(np.isfinite(q), q, 0)
    out, lse = oracle.attend(clean, k, v)
    for token, head in bad:
        out[token, head], lse[token, head] = 0, -np.inf
    np.testing.assert_allclose(found.out, out, atol=1e-4)
    np.testing.assert_allclose(found.lse, lse, atol=1e-4)


def test_a_key_too_large_for_the_stored_dtype(client: sluice.Client) -> None:
    q, k, v = (one.astype(np.float16).astype(np.float32) for one in rows())
    k[3, 0, 0] = 1e6  # finite in fp32, not in fp16
    bad = np.zeros((TOKENS, oracle.KV_HEADS), bool)
    bad[3, 0] = True
    found = attend_all(client, q, k, v, name="tiny-fp16", dtype=np.float16)
    expect(found, q, k, v, bad)


def test_nothing_to_see_is_zero(client: sluice.Client) -> None:
    q, k, v = rows()
    found = attend_all(client, q, np.full_like(k, np.nan), v)
    assert found.lse is not None
    assert (found.out == 0).all() and np.isneginf(found.lse).all()
    assert found.non_finite_key_value_rows == TOKENS * oracle.KV_HEADS


def test_what_is_stored_stays_finite_for_later_steps(client: sluice.Client) -> None:
    q, k, v = rows()
    k[1], v[2] = np.nan, np.inf
    bad = np.zeros((TOKENS + 1, oracle.KV_HEADS), bool)
    bad[1:3] = True
    with client.create_sequence(client.register_model(oracle.spec())) as sequence:
        layers = [sluice.LayerRows(layer, k, v) for layer in range(oracle.LAYERS)]
        client.append(sluice.StepEntry(sequence, token_count=TOKENS), layers)
        q1, k1, v1 = oracle.random_rows(1, np.random.default_rng(9))
        step = client.begin_step([sluice.StepEntry(sequence, token_count=1)])
        found = step.attend(0, q1, k1, v1).out
        step.abort()
    clean_k, clean_v = np.nan_to_num(np.concatenate([k, k1])), np.concatenate([v, v1])
    clean_v[2] = 0
    expected, _ = oracle.attend(q1, clean_k, clean_v, bad)
    np.testing.assert_allclose(found, expected, atol=1e-4)
