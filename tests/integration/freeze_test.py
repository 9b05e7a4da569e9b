# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Clients, and the daemon, that are stopped for a while and then go on."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import oracle
import pytest
import sluice
from client_processes import ClientProcess, stopped
from example.daemon import Daemon
from holdings import assert_all_comes_back, holdings
from sluice._generated import session_pb2
from waiting import eventually
from wire import Wire

HEARTBEAT_LIMIT_S = 1
IMPATIENT_S = 0.7  # enough for a call on a busy machine
TOLD = {
    "idle": {"ABORTED LEASE_EXPIRED", "NOT_FOUND UNKNOWN_SEQUENCE"},
    "mid-step": {"ABORTED LEASE_EXPIRED", "NOT_FOUND UNKNOWN_STEP"},
    "unread": {"ABORTED LEASE_EXPIRED"},
}  # by state; one or the other, as the client hears first of its stream's end or of the call's


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = tmp_path_factory.mktemp("config") / "config.json"
    config.write_text(json.dumps({"heartbeat_limit": f"{HEARTBEAT_LIMIT_S}s"}))
    with Daemon(flags=[f"--config={config}", "--pool_bytes=67108864"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


@pytest.mark.parametrize("state", TOLD)
def test_what_a_stopped_client_holds_comes_back(daemon: Daemon, wire: Wire, state: str) -> None:
    before = holdings(wire.status())
    with ClientProcess(daemon.address, state, script="frozen_client.py") as client:
        client.wait_for("ready")
        assert wire.status().sequence_count > 0
        with stopped(client.process.pid):
            start = time.monotonic()
            with ClientProcess(daemon.address, "check", 5, 3) as bystander:
                bystander.wait_for("ready")
                bystander.finish()
            assert_all_comes_back(wire, before)
            print(f"{state}: came back after {time.monotonic() - start:.1f} s")
        client.say("go on")
        assert client.hear() in TOLD[state]
        client.finish()
    assert_all_comes_back(wire, before)


def test_deadlines_answer_for_a_stopped_daemon() -> None:
    with (
        Daemon(flags=["--pool_bytes=33554432"]) as daemon,  # whose sessions outlast the stop
        Wire(daemon.address) as wire,
        sluice.Client(daemon.address, timeout_s=IMPATIENT_S) as client,
    ):
        model = client.register_model(oracle.spec())
        session = client.session()
        sequence = client.create_sequence(model, session=session)
        entry = sluice.StepEntry(sequence, token_count=1)
        calls: list[Callable[[], object]] = [
            sequence.get,
            lambda: client.create_sequence(model, session=session),
            lambda: session.begin_step([entry]),
        ]
        with stopped(daemon.process_id):
            for call in calls:
                with pytest.raises(sluice.DeadlineExceeded):
                    call()
        # What it was sent it does, though nobody waits for the answer any more.
        eventually(lambda: wire.status().open_step_count, bool, "the call is lost")
        with pytest.raises(sluice.StepOpen) as opened:
            client.begin_step([entry])
        session.abort_step(opened.value.details["open_step_id"])
        oracle.CheckedSequence(sequence, np.random.default_rng(6)).step(session, 5)
        session.close()


def test_a_stop_of_the_daemon_ends_no_session(daemon: Daemon, wire: Wire) -> None:
    stream = wire.stream()
    patient = sluice.Client(daemon.address, timeout_s=2.0 * HEARTBEAT_LIMIT_S)
    with patient as client, stopped(daemon.process_id):
        stream.send(heartbeat=session_pb2.HeartbeatRequest())
        with pytest.raises(sluice.DeadlineExceeded):
            client.capabilities()
    assert stream.receive().HasField("heartbeat")
    assert stream.call("heartbeat", session_pb2.HeartbeatRequest()).HasField("heartbeat")
    stream.finish()
