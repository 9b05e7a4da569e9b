# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The daemon's end, by SIGTERM and by kill -9, and its next life."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import oracle
import pytest
import sluice
from bad_input_world import LAYERS, Case, World
from client_processes import ClientProcess, stopped
from example.daemon import Daemon, find_binary
from grpc_health.v1 import health_pb2, health_pb2_grpc
from raw_steps import attend_of, register
from sluice._generated import sequence_pb2, session_pb2, step_pb2
from waiting import eventually
from wire import Wire

DRAIN_S = 3
SESSIONS = 100
DRAINING = "UNAVAILABLE", "DRAINING", ""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"drain_timeout": f"{DRAIN_S}s"}))
    with Daemon(flags=[f"--config={config}", "--pool_bytes=33554432"]) as daemon:
        yield daemon


def health(wire: Wire) -> int:
    stub = health_pb2_grpc.HealthStub(wire.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status)


def begin_to_drain(daemon: Daemon, wire: Wire) -> None:
    os.kill(daemon.process_id, signal.SIGTERM)
    eventually(
        lambda: health(wire),
        lambda status: status == health_pb2.HealthCheckResponse.NOT_SERVING,
        "health stays as it is",
    )


def test_a_step_that_runs_is_finished(daemon: Daemon) -> None:
    with Wire(daemon.address) as wire:
        world, stream = World(wire), wire.stream()
        begin_to_drain(daemon, wire)
        heartbeat = session_pb2.HeartbeatRequest()
        eventually(
            lambda: stream.call("heartbeat", heartbeat).heartbeat.draining,
            bool,
            "it does not drain",
        )
        found = stream.refusal("begin_step", world.begin())
        assert (found.code, found.reason, found.field) == DRAINING
        create = sequence_pb2.CreateSequenceRequest(model_id=world.model)
        assert wire.refusal("CreateSequence", create).reason == "DRAINING"
        assert finish(stream, world)
        assert stream.end().code == "UNAVAILABLE"
    assert daemon.stop() == 0, daemon.log_tail()


def finish(stream: Any, world: World) -> bool:
    """Brings what the open steps lack; whether both are closed."""
    stream.call("attend", world.attend())
    stream.call("attend", world.attend(layer=1, first_token=0, rows=3, k=None, v=None))
    done = stream.call("attend", world.attend(layer=2, first_token=0, rows=3))
    request = world.own_step(world.idle, 0, 3)
    request.step_id = world.append_step
    last, whole = request.layers
    stream.call("append", world.append([whole], first_token=0))
    for part in (last.k, last.v):
        part.shape[0] = 1
        part.inline = part.inline[: len(part.inline) // LAYERS]
    appended = stream.call("append", world.append([last]))
    return bool(done.attend.step_closed and appended.append.step_closed)


def test_a_hundred_sessions_lose_no_answer(daemon: Daemon) -> None:
    with Wire(daemon.address) as wire:
        model = register(wire)
        entry = step_pb2.StepEntry(token_count=3, phase=step_pb2.PHASE_PREFILL)
        sessions = []
        for _ in range(SESSIONS):
            stream = wire.stream()
            create = sequence_pb2.CreateSequenceRequest(
                model_id=model, session_id=stream.session_id
            )
            entry.sequence_id = wire.call("CreateSequence", create).sequence_id
            begun = stream.call("begin_step", step_pb2.BeginStepRequest(entries=[entry]))
            sessions.append((stream, begun.begin_step.step_id))
        begin_to_drain(daemon, wire)
        request = attend_of(3)
        for request.layer in range(oracle.LAYERS):
            for stream, request.step_id in sessions:
                stream.send(attend=request)
        for stream, _ in sessions:
            closed = [stream.receive().attend.step_closed for _ in range(oracle.LAYERS)]
            assert closed == [False, True]
            assert stream.end().code == "UNAVAILABLE"
    assert daemon.stop() == 0, daemon.log_tail()


def test_a_step_that_stays_open_does_not_keep_the_daemon(daemon: Daemon) -> None:
    with Wire(daemon.address) as wire:
        World(wire)
        stream = wire.stream()
        begin_to_drain(daemon, wire)
        start = time.monotonic()
        assert daemon.stop() == 0, daemon.log_tail()
        assert time.monotonic() - start < DRAIN_S + 2
        assert stream.end().code == "UNAVAILABLE"
    assert "drain_ends" in daemon.log_tail()


def test_a_client_that_is_stopped_does_not_keep_the_daemon(daemon: Daemon) -> None:
    with ClientProcess(daemon.address, "idle", script="frozen_client.py") as client:
        client.wait_for("ready")
        with stopped(client.process.pid):
            start = time.monotonic()
            assert daemon.stop() == 0, daemon.log_tail()
            assert time.monotonic() - start < DRAIN_S


# A call of each kind with ids of the life before.
_STALE = [
    Case("model", "CreateSequence",
         lambda w: sequence_pb2.CreateSequenceRequest(model_id=w.model), "model_id"),
    Case("sequence", "GetSequence",
         lambda w: sequence_pb2.GetSequenceRequest(sequence_id=w.idle), "sequence_id"),
    Case("step", "Attend", lambda w: w.attend(), "step_id"),
    Case("begin", "BeginStep", lambda w: w.begin(), "entries[0].sequence_id"),
    Case("read", "Attend", lambda w: w.read((w.idle, 1)),
         "sequences.sequences[0].sequence_id"),
    Case("free", "FreeSequences",
         lambda w: sequence_pb2.FreeSequencesRequest(sequence_ids=[w.idle]), "sequence_ids[0]"),
]  # fmt: skip


def test_after_a_kill_old_ids_are_stale(daemon: Daemon) -> None:
    with Wire(daemon.address) as wire:
        world, stream = World(wire), wire.stream()
        daemon.kill()
        assert stream.end().code == "UNAVAILABLE"
    daemon.start()
    with Wire(daemon.address) as wire:
        for case in _STALE:
            found = wire.refusal(case.method, case.request(world))
            expected = ("FAILED_PRECONDITION", "STALE_EPOCH", case.field)
            assert (found.code, found.reason, found.field) == expected, case.name
        assert wire.status().pool.in_use_bytes == 0
        assert World(wire).epoch != world.epoch
    assert daemon.stop() == 0, daemon.log_tail()


def test_the_client_recovers_from_a_kill(daemon: Daemon) -> None:
    with sluice.Client(daemon.address) as client, client.session() as session:
        old = client.create_sequence(client.register_model(oracle.spec()), session=session)
        step = session.begin_step([sluice.StepEntry(old, token_count=1)])
        daemon.kill()
        with pytest.raises(sluice.Unavailable):
            step.attend(0, *oracle.random_rows(1, np.random.default_rng(1)))
        daemon.start()
        for ask in (old.get, lambda: session.begin_step([sluice.StepEntry(old, token_count=1)])):
            with pytest.raises(sluice.DaemonRestarted, match="sequence_id"):
                ask()
        new = client.create_sequence(client.register_model(oracle.spec()), session=session)
        oracle.CheckedSequence(new, np.random.default_rng(2)).step(session, 5)


def test_a_second_daemon_on_the_socket_is_refused(daemon: Daemon) -> None:
    command = [str(find_binary()), f"--listen={daemon.address}", "--metrics_address=off"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    path = daemon.address.removeprefix("unix:")
    assert f"a daemon listens on {path} already" in second.stderr
    with Wire(daemon.address) as wire:
        assert health(wire) == health_pb2.HealthCheckResponse.SERVING
    assert daemon.stop() == 0
    with pytest.raises(grpc.RpcError), Wire(daemon.address) as wire:
        health(wire)
