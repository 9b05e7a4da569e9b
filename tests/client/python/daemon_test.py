# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The client and the example engine against a real daemon."""

from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import sluice
from client_test import make_rows
from example.comparison import CHUNK_TOKENS, GREEDY_TOKENS, PROMPT_TOKENS, compare_full
from example.daemon import Daemon
from example.daemon_attention import DaemonAttention, model_spec
from example.generate import generate
from example.model import Model
from example.prompts import passkey_prompt
from fake_service import MODEL

pytestmark = pytest.mark.integration

SPEC = sluice.ModelSpec.uniform(**MODEL)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon() as daemon:
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture
def live(daemon: Daemon) -> Iterator[sluice.Client]:
    with sluice.Client(daemon.address) as client:
        yield client


def fill(calls: sluice.Client | sluice.Session, sequence: sluice.KvSequence, tokens: int) -> None:
    """One step of random keys and values in both layers."""
    step = calls.begin_step([sluice.StepEntry(sequence, token_count=tokens)])
    for layer in range(2):
        step.attend(layer, *make_rows(tokens, seed=layer))
    assert step.closed


def test_greedy_text_equals_in_process_attention(model: Model, live: sluice.Client) -> None:
    kv_model = live.register_model(model_spec(model.config))
    found = list(compare_full(model, live, kv_model, PROMPT_TOKENS, GREEDY_TOKENS))
    assert len(found) == len(PROMPT_TOKENS) * len(CHUNK_TOKENS)
    assert [str(one) for one in found if not one.ok] == []


@pytest.mark.parametrize("way", ["unary", "session"])
def test_attention_agrees_with_dense_attention(live: sluice.Client, way: str) -> None:
    kv_model = live.register_model(SPEC)
    q, k, v = make_rows(70)
    with live.session() as session:
        calls = live if way == "unary" else session
        sequence = live.create_sequence(kv_model, session=session)
        step = calls.begin_step([sluice.StepEntry(sequence, token_count=70)])
        found = step.attend(0, q, k, v, want_lse=True)
        step.attend(1, q, k, v)
        assert (step.closed, sequence.length, sequence.get().length) == (True, 70, 70)
    wide = [np.repeat(rows.astype(np.float64), 2, axis=1) for rows in (k, v)]
    logits = np.einsum("thd,shd->ths", q.astype(np.float64), wide[0]) / 8
    logits += np.triu(np.full((70, 70), -np.inf), 1)[:, None]
    weights = np.exp(logits)
    total = weights.sum(axis=-1)
    out = np.einsum("ths,shd->thd", weights / total[..., None], wide[1])
    np.testing.assert_allclose(found.out, out, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.lse, np.log(total), rtol=1e-5, atol=1e-5)


def test_what_is_larger_than_a_message_is_cut_and_changes_nothing(
    live: sluice.Client, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"limits": {"inline_tensor_bytes": 65536}}')
    q, k, v = make_rows(90)
    rows = [30, 40, 20]  # at most 64 of them fit
    found = []
    with (
        Daemon(flags=[f"--config={config}", "--pool_bytes=33554432"]) as daemon,
        sluice.Client(daemon.address) as small,
    ):
        for client in (live, small):
            kv_model = client.register_model(SPEC)
            sequences = [client.create_sequence(kv_model) for _ in rows]
            for sequence in sequences:
                layers = [sluice.LayerRows(layer, k, v) for layer in range(2)]
                client.append(sluice.StepEntry(sequence, token_count=90), layers)
                assert sequence.length == sequence.get().length == 90
            targets = list(zip(sequences, rows, strict=True))
            found.append(client.attend(targets, 1, q, want_lse=True))
            client.free(sequences)
    np.testing.assert_array_equal(found[0].out, found[1].out)
    np.testing.assert_array_equal(found[0].lse, found[1].lse)


def test_a_large_append_without_every_layer_is_refused_and_undone(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"limits": {"inline_tensor_bytes": 65536}}')
    _, k, v = make_rows(90)
    with (
        Daemon(flags=[f"--config={config}", "--pool_bytes=33554432"]) as daemon,
        sluice.Client(daemon.address) as client,
    ):
        sequence = client.create_sequence(client.register_model(SPEC))
        with pytest.raises(sluice.InvalidArgument) as caught:
            client.append(sluice.StepEntry(sequence, token_count=90), [sluice.LayerRows(0, k, v)])
        assert caught.value.field == "layers"
        assert sequence.get().length == 0
        assert sequence.get().open_step_id is None
        assert daemon.stop() == 0


def test_bfloat16_goes_in_and_comes_out(live: sluice.Client) -> None:
    spec = {**MODEL, "name": "tiny-bf16", "dtype": ml_dtypes.bfloat16}
    kv_model = live.register_model(sluice.ModelSpec.uniform(**spec))
    with live.create_sequence(kv_model) as sequence:
        q, k, v = make_rows(1, ml_dtypes.bfloat16)
        step = live.begin_step([sluice.StepEntry(sequence, [7])])
        out = step.attend(0, q, k, v).out
        step.abort()
        assert out.dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(out[0], np.repeat(v[0], 2, axis=0))
        assert sequence.get().length == 0


def test_a_refusal_names_the_field(live: sluice.Client) -> None:
    with live.create_sequence(live.register_model(SPEC)) as sequence:
        q, k, v = make_rows(3)
        step = live.begin_step([sluice.StepEntry(sequence, token_count=3)])
        with pytest.raises(sluice.InvalidArgument) as caught:
            step.attend(0, q[:, :3], k, v)
        assert caught.value.field.startswith("q")
        with pytest.raises(sluice.InvalidArgument) as caught:
            step.attend(9, q, k, v)
        assert caught.value.field == "layer"
        with pytest.raises(sluice.StepOpen) as opened:
            live.begin_step([sluice.StepEntry(sequence, token_count=1)])
        assert opened.value.details["open_step_id"] == step.id
        step.abort()


def test_sink_window_keeps_the_first_and_the_newest_tokens(live: sluice.Client) -> None:
    on_request = sluice.Triggers()
    policy = sluice.Policy("sink_window", sink_tokens=4, recent_tokens=60, triggers=on_request)
    with live.create_sequence(live.register_model(SPEC), policy=policy) as sequence:
        fill(live, sequence, 300)
        planned = sequence.compress(dry_run=True)
        assert sequence.get().kept_tokens == 300 * 4
        before = sequence.get().held_bytes
        sequence.compress()
        kept = sequence.explain(1, 1).kept_positions
        assert kept == (*range(4), *range(240, 300))
        assert [layer.kept_tokens for layer in planned.layers] == [(64, 64)] * 2
        assert sequence.get().held_bytes < before / 2


def test_l2norm_keeps_its_budget_in_the_example_model(model: Model, live: sluice.Client) -> None:
    kv_model = live.register_model(model_spec(model.config))
    policy = sluice.Policy("l2norm", budget_tokens=300, skip_layers=())
    prompt = passkey_prompt(600)
    with live.session() as session:
        sequence = live.create_sequence(kv_model, policy=policy, session=session)
        attention = DaemonAttention(session, sequence)
        list(generate(model, attention, prompt.token_ids, 2, chunk_tokens=128))
        info = sequence.get()
    assert info.last_job is not None and info.last_job.outcome == "COMMITTED"
    assert {kept for layer in info.layers for kept in layer.kept_tokens} == {301}


def test_forks_share_pages_until_they_part(live: sluice.Client) -> None:
    with live.create_sequence(live.register_model(SPEC)) as sequence:
        fill(live, sequence, 64)
        (fork,) = live.fork([sequence])
        assert fork.get().bytes_alone == 0
        fill(live, fork, 1)
        assert (sequence.get().length, fork.get().length) == (64, 65)
        assert 0 < fork.get().bytes_alone < fork.get().held_bytes
        fork.free()
        with pytest.raises(sluice.NotFound):
            fork.get()


def test_what_a_session_made_ends_with_it(live: sluice.Client) -> None:
    kv_model = live.register_model(SPEC)
    with live.session() as session:
        sequence = live.create_sequence(kv_model, session=session)
        fill(session, sequence, 3)
    with pytest.raises(sluice.NotFound):
        sequence.get()


def test_after_a_crash_the_client_says_so_and_goes_on(model: Model) -> None:
    with Daemon() as daemon, sluice.Client(daemon.address) as client, client.session() as session:
        sequence = client.create_sequence(client.register_model(SPEC), session=session)
        step = session.begin_step([sluice.StepEntry(sequence, token_count=1)])
        daemon.kill()
        with pytest.raises(sluice.Unavailable):
            step.attend(0, *make_rows(1))
        daemon.start()
        with pytest.raises(sluice.DaemonRestarted):
            session.begin_step([sluice.StepEntry(sequence, token_count=1)])
        fresh = client.create_sequence(client.register_model(SPEC), session=session)
        fill(session, fresh, 2)
        assert fresh.get().length == 2
        session.close()
        assert daemon.stop() == 0
