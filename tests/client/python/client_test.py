# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The client's calls and errors against a service in this process."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import sluice
from fake_service import FakeService, error
from sluice._generated import types_pb2
from sluice.tensors import sequence_parts

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def make_rows(tokens: int, dtype: type = np.float32, seed: int = 0) -> Rows:
    generator = np.random.default_rng(seed)
    q, k, v = (generator.standard_normal((tokens, heads, 64)) for heads in (4, 2, 2))
    return q.astype(dtype), k.astype(dtype), v.astype(dtype)


def test_capabilities_are_plain_values(client: sluice.Client) -> None:
    found = client.capabilities()
    assert found.backend == "fake"
    assert found.dtypes == (np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16))
    assert found.limits.inline_tensor_bytes == 1 << 26
    assert found.default_lease_s == 600


@pytest.mark.parametrize("way", ["unary", "session"])
def test_a_step_closes_with_its_last_layer(
    client: sluice.Client, sequence: sluice.KvSequence, way: str
) -> None:
    with client.session() as session:
        calls = client if way == "unary" else session
        step = calls.begin_step([sluice.StepEntry(sequence, [5, 6, 7])])
        q, k, v = make_rows(3)
        first = step.attend(0, q, k, v, want_lse=True)
        assert first.out.shape == (3, 4, 64)
        assert first.lse is not None and first.lse.shape == (3, 4)
        assert (step.closed, sequence.length) == (False, 0)
        step.attend(1, q, k, v)
        assert (step.closed, sequence.length) == (True, 3)
    np.testing.assert_allclose(first.out[0], np.repeat(v[0], 2, axis=0), rtol=1e-6)


def test_a_step_left_early_is_aborted(
    client: sluice.Client, service: FakeService, sequence: sluice.KvSequence
) -> None:
    with pytest.raises(KeyError), client.begin_step([sluice.StepEntry(sequence, [5])]):
        raise KeyError("the engine failed")
    assert service.requests[-1][0] == "EndStep"
    assert service.requests[-1][1].abort


def test_bfloat16_arrays_travel_as_they_are(
    client: sluice.Client, service: FakeService, sequence: sluice.KvSequence
) -> None:
    _, k, v = make_rows(2, ml_dtypes.bfloat16)
    step = client.begin_step([sluice.StepEntry(sequence, token_count=2)], append_only=True)
    step.append([0, 1], [k, k], [v, v])
    assert step.closed
    request = service.requests[-1][1]
    assert request.layers[1].k.dtype == types_pb2.DTYPE_BF16
    assert request.layers[1].v.inline == v.tobytes()
    assert request.layers[1].k.shape == [2, 2, 64]


def test_an_array_of_another_dtype_is_refused_before_it_is_sent(
    client: sluice.Client, sequence: sluice.KvSequence
) -> None:
    q, k, v = make_rows(1, np.float64)
    step = client.begin_step([sluice.StepEntry(sequence, [5])])
    with pytest.raises(ValueError, match=r"^q: dtype float64; must be float32"):
        step.attend(0, q, k, v)


def test_large_calls_are_cut_by_tokens_without_changing_the_result(
    client: sluice.Client, address: str, service: FakeService, kv_model: sluice.Model
) -> None:
    outs = []
    for limit in (1 << 26, 1 << 19):
        service.inline_tensor_bytes = limit
        with sluice.Client(address) as other:
            sequence = other.create_sequence(kv_model)
            step = other.begin_step([sluice.StepEntry(sequence, token_count=700)])
            service.requests.clear()
            outs.append(step.attend(0, *make_rows(700)).out)
            sent = [request for name, request in service.requests if name == "Attend"]
    assert [request.first_token for request in sent] == [0, 256, 512]
    np.testing.assert_allclose(outs[0], outs[1], rtol=1e-5, atol=1e-6)


def test_large_appends_are_cut_by_layer_then_by_tokens(
    client: sluice.Client, service: FakeService, sequence: sluice.KvSequence
) -> None:
    service.inline_tensor_bytes = 1 << 20
    _, k, v = make_rows(1200)
    step = client.begin_step([sluice.StepEntry(sequence, token_count=1200)], append_only=True)
    step.append([0, 1], [k, k], [v, v])
    sent = [request for name, request in service.requests if name == "Append"]
    parts = [(request.layers[0].layer, request.first_token) for request in sent]
    assert parts == [(0, 0), (0, 1024), (1, 0), (1, 1024)]
    assert step.closed


def test_sequences_are_cut_between_messages_and_never_within() -> None:
    q = np.zeros((9, 2, 4), np.float32)  # 32 bytes a row

    def parts(row_counts: list[int], limit_bytes: int) -> list[tuple[list[int], int]]:
        cut = sequence_parts(row_counts, q, limit_bytes)
        return [(row_counts[sequences], len(q[rows])) for sequences, rows in cut]

    assert parts([2, 3, 4], 9 * 32) == [([2, 3, 4], 9)]
    assert parts([2, 3, 4], 8 * 32) == [([2, 3], 5), ([4], 4)]
    assert parts([1, 7, 1], 3 * 32) == [([1], 1), ([7], 7), ([1], 1)]  # the daemon refuses the 7
    assert parts([1, 1], 9 * 32) == [([1, 1], 9)]  # the daemon refuses it
    for row_counts in ([1, 1], [5, 5], [9, 0], []):
        with pytest.raises(ValueError, match="sequences: rows"):
            parts(row_counts, 8 * 32)


@pytest.mark.parametrize("way", ["unary", "session"])
def test_a_refusal_carries_what_the_daemon_said(
    client: sluice.Client, service: FakeService, sequence: sluice.KvSequence, way: str
) -> None:
    wire = error(9, types_pb2.REASON_STEP_OPEN, "a step is open", "entries[0].sequence_id")
    wire.open_step_id = 77
    wire.retry_after_ms = 250
    service.refuse["BeginStep"] = wire
    with client.session() as session, pytest.raises(sluice.StepOpen) as caught:
        calls = client if way == "unary" else session
        calls.begin_step([sluice.StepEntry(sequence, [5])])
    found = caught.value
    assert (found.code, found.reason) == ("FAILED_PRECONDITION", "STEP_OPEN")
    assert (found.field, found.retry_after_ms) == ("entries[0].sequence_id", 250)
    assert found.details["open_step_id"] == 77
    assert str(found) == (
        "FAILED_PRECONDITION (STEP_OPEN): a step is open [entries[0].sequence_id]"
    )


def test_a_wrong_length_is_refused_and_a_rollback_drops_tokens(
    client: sluice.Client, sequence: sluice.KvSequence
) -> None:
    rows = make_rows(4)
    for length in (0, 4):
        step = client.begin_step([sluice.StepEntry(sequence, token_count=4)])
        assert sequence.length == length
        step.attend(0, *rows)
        step.attend(1, *rows)
    with pytest.raises(sluice.FailedPrecondition) as caught:
        client.begin_step([sluice.StepEntry(sequence, [1], base_length=9)])
    assert caught.value.reason == "LENGTH_MISMATCH"
    client.begin_step([sluice.StepEntry(sequence, [1], base_length=6, rollback=True)]).abort()
    assert sequence.length == 6


def test_forks_know_their_parents_length(
    client: sluice.Client, sequence: sluice.KvSequence
) -> None:
    step = client.begin_step([sluice.StepEntry(sequence, [1, 2])])
    step.attend(0, *make_rows(2))
    step.attend(1, *make_rows(2))
    left, right = client.fork([sequence, sequence])
    assert len({sequence.id, left.id, right.id}) == 3
    assert (left.length, right.get().length) == (2, 2)
    client.free([left, right])
    with pytest.raises(sluice.NotFound) as caught:
        left.get()
    assert caught.value.reason == "UNKNOWN_SEQUENCE"


def test_a_policy_travels_both_ways(client: sluice.Client, sequence: sluice.KvSequence) -> None:
    policy = sluice.Policy(
        "l2norm",
        ratio=sluice.Ratio(0.5, of_removed=True, round_up=True),
        skip_layers=(0, 1),
        protect_last_tokens=0,
        triggers=sluice.Triggers(prefill_end=True, every_tokens=32, hysteresis_tokens=0),
        visible=sluice.Visible.WHEN_READY,
    )
    resolved = sequence.set_policy(policy)
    assert resolved.policy == policy
    assert resolved.observation_window_tokens == 8


def test_parameters_of_h2o_travel_both_ways(sequence: sluice.KvSequence) -> None:
    policy = sluice.Policy(
        "h2o",
        recent_tokens=5,
        heavy_tokens=7,
        decay=0.5,
        squared=True,
        normalise=sluice.ScoreNormalise.NONE,
    )
    assert sequence.set_policy(policy).policy == policy


def test_parameters_of_cascades_travel_both_ways(sequence: sluice.KvSequence) -> None:
    policy = sluice.Policy(
        "cascade",
        sink_tokens=0,
        group_reduce=sluice.GroupReduce.MEDIAN,
        cascade_tokens=6,
        cascades=2,
        periods=(1, 3),
        eager_fill=False,
        stride_tokens=7,
    )
    assert sequence.set_policy(policy).policy == policy


def test_parameters_of_window_presets_travel_both_ways(sequence: sluice.KvSequence) -> None:
    policy = sluice.Policy(
        "dynamickv",
        window_tokens=8,
        pool=sluice.ScorePool.AVERAGE,
        pool_width=7,
        group_reduce=sluice.GroupReduce.MAX,
        beta=20,
        low_end_tokens=0,
        alpha=0.25,
        head_budget=sluice.HeadBudget.SAFEGUARD,
        r_max=2.5,
        update_every_layers=3,
        arithmetic=sluice.LayerArithmetic.REFERENCE,
    )
    assert sequence.set_policy(policy).policy == policy


def test_compress_and_explain_give_plain_values(
    client: sluice.Client, service: FakeService, sequence: sluice.KvSequence
) -> None:
    result = sequence.compress(budget_tokens=5, dry_run=True)
    assert service.requests[-1][1].dry_run and service.requests[-1][1].budget_tokens == 5
    assert result.layers == (sluice.LayerKept(0, (5, 6)),)
    assert (result.freed_now_bytes, result.freed_later_bytes) == (10, 3)
    assert (result.job.outcome, result.job.trigger) == ("DRY_RUN", "REQUEST")
    assert result.job.duration_s == 1.5
    kept = sequence.explain(1, 0)
    assert kept == sluice.Explanation((0, 2, 7), 2, (-1.5, -2.0, -0.5), 8)


def test_a_closed_client_refuses_calls(client: sluice.Client) -> None:
    client.close()
    with pytest.raises(sluice.FailedPrecondition, match="closed"):
        client.capabilities()


def test_a_preset_name_is_no_policy(
    client: sluice.Client, kv_model: sluice.Model, sequence: sluice.KvSequence
) -> None:
    name: Any = "l2norm"
    for call in (
        lambda: client.create_sequence(kv_model, policy=name),
        lambda: client.match_prefix(kv_model, [1], policy=name),
        lambda: sequence.set_policy(name),
        lambda: sequence.compress(policy=name),
    ):
        with pytest.raises(TypeError, match=r"policy: 'l2norm'; must be a sluice\.Policy"):
            call()


def test_parameters_of_a_policy_have_their_types() -> None:
    number: Any = 0.5
    with pytest.raises(TypeError, match=r"ratio: 0\.5; must be a sluice\.Ratio"):
        sluice.Policy("l2norm", ratio=number)
    with pytest.raises(TypeError, match=r"triggers: 0\.5; must be a sluice\.Triggers"):
        sluice.Policy("l2norm", triggers=number)
    with pytest.raises(TypeError, match=r"pool: 0\.5; must be a sluice\.ScorePool"):
        sluice.Policy("snapkv", pool=number)


def test_lists_are_no_tensors(client: sluice.Client, sequence: sluice.KvSequence) -> None:
    q, k, v = make_rows(1)
    rows: Any = k.tolist()
    with client.begin_step([sluice.StepEntry(sequence, [5])]) as step:
        with pytest.raises(TypeError, match="k: list; must be a numpy array"):
            step.attend(0, q, rows, v)
        with pytest.raises(TypeError, match="v: list; must be a numpy array"):
            step.append([0], [k], [rows])
    with pytest.raises(TypeError, match="q: list; must be a numpy array"):
        client.attend([(sequence, 1)], 0, rows)
