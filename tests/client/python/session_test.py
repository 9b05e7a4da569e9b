# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Sessions, deadlines and what a client sees when the daemon goes away and comes back."""

import threading
from collections.abc import Callable

import grpc
import pytest
import sluice
from client_test import make_rows
from fake_service import MODEL, FakeService


def test_heartbeats_come_by_themselves(client: sluice.Client, service: FakeService) -> None:
    service.heartbeat_limit_s = 0.03
    with client.session():
        assert all(service.heartbeats.acquire(timeout=5) for _ in range(3))


def test_closing_a_session_ends_its_stream(client: sluice.Client, service: FakeService) -> None:
    session = client.session()
    session.close()
    assert service.sessions_ended.acquire(timeout=5)
    with pytest.raises(sluice.FailedPrecondition, match="closed"):
        _ = session.id


def test_a_sequence_names_the_session_it_belongs_to(
    client: sluice.Client, service: FakeService, kv_model: sluice.Model
) -> None:
    with client.session() as session:
        client.create_sequence(kv_model, session=session)
        assert service.requests[-1][1].session_id == session.id


def test_calls_of_many_threads_get_their_own_answers(
    client: sluice.Client, kv_model: sluice.Model
) -> None:
    lengths: dict[int, int] = {}

    def run(tokens: int, session: sluice.Session) -> None:
        sequence = client.create_sequence(kv_model, session=session)
        step = session.begin_step([sluice.StepEntry(sequence, token_count=tokens)])
        for layer in range(2):
            assert len(step.attend(layer, *make_rows(tokens)).out) == tokens
        lengths[tokens] = sequence.get().length

    with client.session() as session:
        threads = [threading.Thread(target=run, args=(n, session)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert lengths == {tokens: tokens for tokens in range(1, 9)}


@pytest.mark.parametrize("way", ["unary", "session"])
def test_a_call_that_is_not_answered_meets_its_deadline(
    address: str, service: FakeService, sequence: sluice.KvSequence, way: str
) -> None:
    with sluice.Client(address, timeout_s=0.1) as client, client.session() as session:
        service.delay_s = 0.4
        calls = client if way == "unary" else session
        with pytest.raises(sluice.DeadlineExceeded):
            calls.begin_step([sluice.StepEntry(sequence, [5])])
        service.delay_s = 0


def test_no_daemon_is_an_error_at_once(tmp_path: object) -> None:
    with sluice.Client(f"unix:{tmp_path}/nobody.sock") as client:
        message = f"cannot reach sluiced at unix:{tmp_path}/nobody.sock: "
        with pytest.raises(sluice.Unavailable, match=message):
            client.capabilities()
        with pytest.raises(sluice.Unavailable, match=message):
            client.session()


@pytest.mark.parametrize("address", ["unix:/a", "127.0.0.1:1", "[::1]:65535", "localhost:9000"])
def test_sockets_and_ports_are_addresses(address: str) -> None:
    sluice.Client(address).close()


@pytest.mark.parametrize(
    "address",
    ["", "unix:", "unix:a", "/run/a.sock", "host", ":80", "host:", "host:0", "host:65536", "host:x"]
    + ["dns:///a:80", f"unix:/{'a' * 107}"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"^address: "):
        sluice.Client(address)


def test_after_a_restart_old_ids_fail_clearly_and_new_ones_work(
    client: sluice.Client, server: grpc.Server, restart: Callable[[FakeService], None]
) -> None:
    model = client.register_model(sluice.ModelSpec.uniform(**MODEL))
    session = client.session()
    sequence = client.create_sequence(model, session=session)
    step = session.begin_step([sluice.StepEntry(sequence, [5])])
    server.stop(None).wait()
    with pytest.raises(sluice.Unavailable):
        step.attend(0, *make_rows(1))
    restart(FakeService(epoch=2))
    with pytest.raises(sluice.Unavailable, match="cannot reach sluiced at"):
        step.attend(0, *make_rows(1))  # a step ends with its stream, and says so
    with pytest.raises(sluice.DaemonRestarted) as caught:
        session.begin_step([sluice.StepEntry(sequence, [5])])
    assert caught.value.reason == "STALE_EPOCH"
    with pytest.raises(sluice.DaemonRestarted):
        sequence.get()
    renewed = client.register_model(sluice.ModelSpec.uniform(**MODEL))
    fresh = client.create_sequence(renewed, session=session)
    assert session.begin_step([sluice.StepEntry(fresh, [5])]).id >> 40 == 2
    session.close()


def test_a_silent_daemon_ends_the_stream(client: sluice.Client, service: FakeService) -> None:
    service.heartbeat_limit_s = 0.05
    model = client.register_model(sluice.ModelSpec.uniform(**MODEL))
    sequence = client.create_sequence(model)
    with client.session() as session:
        service.delay_s = 0.5
        with pytest.raises(sluice.Unavailable, match=r"did not answer for 0\.05 s"):
            session.begin_step([sluice.StepEntry(sequence, [5])])
