# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Misuse below the fields: of the session stream, of messages, of the protocol itself."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bad_input_world import LIMITS, World
from example.daemon import Daemon
from google.protobuf.duration_pb2 import Duration
from sluice._generated import session_pb2, step_pb2
from waiting import eventually
from wire import Refusal, Stream, Wire

OPEN = session_pb2.OpenSessionRequest(client_name="test")
HEARTBEAT = session_pb2.HeartbeatRequest()
INVALID = "INVALID_ARGUMENT", "FIELD_INVALID"
GARBAGE = [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x08" * 3, bytes(range(256))]


@pytest.fixture(scope="module")
def world(limited_daemon: Daemon) -> Iterator[World]:
    with Wire(limited_daemon.address) as wire:
        yield World(wire)


@pytest.fixture
def unchanged(world: World) -> Iterator[None]:
    """What was there stays, and no session of the test does."""
    before, reading = world.state(), world.reading()
    yield
    eventually(world.state, lambda now: now == before, "something changed")
    assert world.reading() == reading


def expect(found: Refusal, code: str, reason: str, field: str) -> None:
    assert (found.code, found.reason, found.field) == (code, reason, field), found
    assert field in found.message and found.message


# Each ends the stream: how it is opened, what is sent, the field at fault.
_ENDS: dict[str, tuple[bool, Callable[[Stream], Any], str]] = {
    "first a heartbeat": (False, lambda s: s.send(heartbeat=HEARTBEAT), "open"),
    "first nothing": (False, lambda s: s.send(), "open"),
    "first a step": (False, lambda s: s.send(end_step=step_pb2.EndStepRequest()), "open"),
    "opened twice": (True, lambda s: s.send(open=OPEN), "open"),
    "call_id 0": (True, lambda s: s.send(call_id=0, heartbeat=HEARTBEAT), "call_id"),
    "opened with call_id 0": (False, lambda s: s.send(call_id=0, open=OPEN), "call_id"),
    "a long name": (False, lambda s: s.send(open={"client_name": "x" * 65}), "open.client_name"),
    "a name with a line break": (False, lambda s: s.send(open={"client_name": "a\n"}),
                                 "open.client_name"),
}  # fmt: skip


@pytest.mark.parametrize("name", _ENDS)
def test_misuse_ends_the_stream(world: World, unchanged: None, name: str) -> None:
    opened, send, field = _ENDS[name]
    stream = world.wire.stream(opened=opened)
    send(stream)
    expect(stream.end(), *INVALID, field)


def test_a_call_id_in_use_ends_the_stream(world: World, unchanged: None) -> None:
    stream = world.wire.stream()
    waits = world.begin(
        sequence_id=world.busy, base_length=0, request={"max_wait": Duration(seconds=60)}
    )
    stream.send(call_id=7, begin_step=waits)
    stream.send(call_id=7, heartbeat=HEARTBEAT)
    expect(stream.end(), *INVALID, "call_id")


def test_a_call_id_can_be_used_again_once_answered(world: World, unchanged: None) -> None:
    stream = world.wire.stream()
    for _ in range(3):
        stream.send(call_id=7, heartbeat=HEARTBEAT)
        assert stream.receive().call_id == 7
    stream.finish()


def test_no_call_in_a_request_is_answered(world: World, unchanged: None) -> None:
    stream = world.wire.stream()
    call_id = stream.send()
    answer = stream.receive()
    assert (answer.call_id, answer.error.code, answer.error.field) == (call_id, 3, "request")
    assert stream.call("heartbeat", HEARTBEAT).heartbeat.draining is False
    stream.finish()


def test_one_session_too_many(world: World, unchanged: None) -> None:
    streams = [world.wire.stream() for _ in range(LIMITS["sessions"])]
    late = world.wire.stream(opened=False)
    late.send(open=OPEN)
    expect(late.end(), "RESOURCE_EXHAUSTED", "TENANT_QUOTA", "")
    for stream in streams:
        stream.finish()


def too_large() -> step_pb2.AttendRequest:
    request = step_pb2.AttendRequest(step_id=1)
    request.q.inline = bytes(LIMITS["message_bytes"] + 1)
    return request


def test_a_message_over_the_limit(world: World, unchanged: None) -> None:
    found = world.wire.refusal("Attend", too_large())
    expect(found, "RESOURCE_EXHAUSTED", "", "")
    assert str(LIMITS["message_bytes"]) in found.message


def test_a_message_over_the_limit_ends_the_stream(world: World, unchanged: None) -> None:
    stream = world.wire.stream()
    stream.send(attend=too_large())
    assert stream.end().code == "RESOURCE_EXHAUSTED"


def test_tensors_over_the_limit_in_a_message_within_it(world: World, unchanged: None) -> None:
    request = world.attend()
    size = LIMITS["inline_tensor_bytes"]
    request.q.inline = bytes(size + 256)
    request.q.shape[:] = [1, 1, size // 4 + 64]
    expect(world.wire.refusal("Attend", request), *INVALID, "q.inline")


@pytest.mark.parametrize("message", GARBAGE)
@pytest.mark.parametrize("method", ["Attend", "BeginStep", "CreateSequence", "RegisterModel"])
def test_garbage_is_no_message(world: World, unchanged: None, method: str, message: bytes) -> None:
    # gRPC's answer to what its callback server cannot parse; the daemon never sees it.
    assert world.wire.raw_refusal(method, message).code == "UNIMPLEMENTED"


@pytest.mark.parametrize("message", GARBAGE)
def test_garbage_ends_the_stream(world: World, unchanged: None, message: bytes) -> None:
    opening = session_pb2.SessionRequest(call_id=1, open=OPEN).SerializeToString()
    session = world.wire.channel.stream_stream("/sluice.v1.KvCache/Session")
    answers = list(session(iter([opening, message]), timeout=30))
    assert len(answers) == 1
    assert session_pb2.SessionResponse.FromString(answers[0]).open.session_id != 0


def test_a_method_that_is_not_there(world: World, unchanged: None) -> None:
    assert world.wire.raw_refusal("Detach", b"").code == "UNIMPLEMENTED"
