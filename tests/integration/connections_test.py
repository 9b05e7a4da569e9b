# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Connections that are too many, say nothing, or do not read."""

import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon
from holdings import resident_bytes
from raw_steps import reading_of
from sluice._generated import kv_cache_pb2, sequence_pb2, session_pb2, step_pb2, types_pb2
from sluice.tensors import fill_tensor
from waiting import eventually
from wire import Stream, Wire

SPARE_FILES = 12
FLOOD = 150
HANDSHAKE_LIMIT_S = 5
CONNECTIONS = 64
STOPPED_S = 5
SERVED_AGAIN_S = 5  # at once, but for a busy machine


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = tmp_path_factory.mktemp("config") / "config.json"
    limits = {"connections": CONNECTIONS, "connections_per_user": CONNECTIONS}
    config.write_text(json.dumps({"limits": limits, "heartbeat_limit": "60s"}))
    with Daemon(flags=[f"--config={config}", "--pool_bytes=67108864"]) as daemon:
        yield daemon


def connect(daemon: Daemon) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(daemon.address.removeprefix("unix:"))
    return made


def open_files(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process_id}/fd"))


def answers(daemon: Daemon) -> bool:
    """Whether a new connection is served."""
    with Wire(daemon.address) as wire:
        try:
            return bool(wire.status().pool.total_bytes > 0)
        except grpc.RpcError:
            return False


def assert_served_again(daemon: Daemon) -> None:
    start = time.monotonic()
    eventually(lambda: answers(daemon), bool, "no new connection is served after the flood")
    assert time.monotonic() - start < SERVED_AGAIN_S


def heartbeat(stream: Stream) -> bool:
    return stream.call("heartbeat", session_pb2.HeartbeatRequest()).HasField("heartbeat")


def flood(daemon: Daemon, stream: Stream, event: str) -> None:
    """Opens more connections than there is room for, until the daemon logs the event, with
    `stream` served throughout."""
    with ExitStack() as stack:
        for index in range(FLOOD):
            made = stack.enter_context(socket.socket(socket.AF_UNIX))
            made.setblocking(False)
            if made.connect_ex(daemon.address.removeprefix("unix:")) != 0:
                break  # the backlog is full
            if index % 10 == 0:
                assert heartbeat(stream)
        eventually(daemon.log_tail, lambda log: event in log, f"no {event}")
        assert heartbeat(stream)


def test_a_flood_that_takes_all_files(daemon: Daemon, wire: Wire) -> None:
    stream = wire.stream()
    limits = resource.prlimit(daemon.process_id, resource.RLIMIT_NOFILE)
    few = open_files(daemon) + SPARE_FILES
    resource.prlimit(daemon.process_id, resource.RLIMIT_NOFILE, (few, limits[1]))
    flood(daemon, stream, "accept_failed")
    assert_served_again(daemon)
    resource.prlimit(daemon.process_id, resource.RLIMIT_NOFILE, limits)
    assert heartbeat(stream)
    stream.finish()


def test_a_flood_beyond_the_limit_of_connections(daemon: Daemon, wire: Wire) -> None:
    stream = wire.stream()
    flood(daemon, stream, "connection_refused")
    assert_served_again(daemon)
    stream.finish()


def test_a_connection_that_says_nothing_is_closed(daemon: Daemon) -> None:
    before = open_files(daemon)
    with connect(daemon) as silent, connect(daemon) as slow:
        start = time.monotonic()
        slow.send(b"P")
        for one in (silent, slow):
            while one.recv(4096):
                pass
        assert time.monotonic() - start < HANDSHAKE_LIMIT_S + 3
    eventually(lambda: open_files(daemon), lambda now: now <= before, "files stay open")


def test_a_reader_that_is_slow_stalls_only_itself(daemon: Daemon, wire: Wire) -> None:
    rows, calls = 400, 120  # answers of 400 KiB each: more than any window takes
    with sluice.Client(daemon.address) as client, client.session() as session:
        model = client.register_model(oracle.spec())
        checked = oracle.CheckedSequence(
            client.create_sequence(model, session=session), np.random.default_rng(3)
        )
        checked.step(session, rows)
        slow = wire.stream()
        request = reading_of(checked.sequence.id, rows)
        for _ in range(calls):
            slow.send(attend=request)
        resident = resident_bytes(daemon)
        for tokens in range(1, 20):
            other = client.create_sequence(model, session=session)
            oracle.CheckedSequence(other, np.random.default_rng(tokens)).step(session, tokens)
        assert resident_bytes(daemon) - resident < 128 << 20
        answered = [slow.receive() for _ in range(calls)]
        assert {len(one.attend.out.inline) for one in answered} == {rows * 4 * 64 * 4}
        slow.finish()


def test_answers_that_nobody_takes_do_not_pile_up(daemon: Daemon, wire: Wire) -> None:
    """Answers sixteen times as large as the calls, half a gigabyte of them all together."""
    shape = types_pb2.ModelGeometry(
        name="wide", query_head_count=16, k_dim=16, v_dim=256, dtype=types_pb2.DTYPE_BF16
    )
    shape.layers.add(kv_head_count=1)
    model = wire.call("RegisterModel", kv_cache_pb2.RegisterModelRequest(geometry=shape)).model_id
    slow = wire.stream()
    create = sequence_pb2.CreateSequenceRequest(model_id=model, session_id=slow.session_id)
    rows, calls = 500, 64
    append = step_pb2.AppendRequest()
    append.entry.sequence_id = wire.call("CreateSequence", create).sequence_id
    append.entry.token_count = rows
    append.entry.phase = step_pb2.PHASE_DECODE
    layer = append.layers.add(layer=0)
    fill_tensor(layer.k, np.ones((rows, 1, 16), np.float32), "k")
    fill_tensor(layer.v, np.ones((rows, 1, 256), np.float32), "v")
    wire.call("Append", append)
    request = step_pb2.AttendRequest()
    request.sequences.sequences.add(sequence_id=append.entry.sequence_id, row_count=rows)
    fill_tensor(request.q, np.ones((rows, 16, 16), np.float32), "q")
    before, resident = wire.status().totals.attended_row_count, resident_bytes(daemon)
    for _ in range(calls):
        slow.send(attend=request)
    eventually(
        lambda: wire.status().totals.attended_row_count - before,
        lambda found: found >= 4 * rows,
        "the calls are not served",
    )
    assert resident_bytes(daemon) - resident < 160 << 20
    answered = [slow.receive() for _ in range(calls)]
    assert {len(one.attend.out.inline) for one in answered} == {rows * 16 * 256 * 4}
    slow.finish()


def test_the_end_does_not_wait_for_what_is_over(daemon: Daemon) -> None:
    start = time.monotonic()
    assert daemon.stop() == 0, daemon.log_tail()
    assert time.monotonic() - start < STOPPED_S
