# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The daemon's calls as bare messages, so that tests can send what no client would."""

import queue
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
from sluice._generated import admin_pb2, admin_pb2_grpc, kv_cache_pb2_grpc, session_pb2, types_pb2

TIMEOUT_S = 30
STREAM_TIMEOUT_S = 100  # a stream may serve all tests of a file

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]

# The calls that a session stream has too, and what they are called there.
STREAM_CALLS = {
    "BeginStep": "begin_step",
    "EndStep": "end_step",
    "Append": "append",
    "Attend": "attend",
}


@dataclass(frozen=True)
class Refusal:
    """What a call was refused with, by whichever way."""

    code: str
    reason: str
    field: str
    message: str


def refusal_of(error: grpc.RpcError) -> Refusal:
    found = {one.key: one.value for one in error.trailing_metadata() or ()}
    return Refusal(
        error.code().name,
        found.get("sluice-reason", ""),
        found.get("sluice-field", ""),
        error.details() or "",
    )


class Stream:
    """A session stream on which one call at a time is made."""

    def __init__(self, stub: Any, *, opened: bool = True) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers = stub.Session(iter(self._requests.get, None), timeout=STREAM_TIMEOUT_S)
        self._next_id = 1
        self.session_id = 0
        if opened:
            open_request = session_pb2.OpenSessionRequest(client_name="test")
            answer = self.call("open", open_request)
            self.session_id = answer.open.session_id

    def send(self, **fields: Any) -> int:
        """Sends a request, with the next call_id unless one is given, and returns the id."""
        call_id = int(fields.pop("call_id", self._next_id))
        self._next_id += 1
        self._requests.put(session_pb2.SessionRequest(call_id=call_id, **fields))
        return call_id

    def receive(self) -> session_pb2.SessionResponse:
        """The next answer. Raises grpc.RpcError when the stream has ended."""
        return next(self._answers)

    def call(self, name: str, request: Any) -> session_pb2.SessionResponse:
        call_id = self.send(**{name: request})
        answer = self.receive()
        assert answer.call_id == call_id
        return answer

    def refusal(self, name: str, request: Any) -> Refusal:
        answer = self.call(name, request)
        assert answer.WhichOneof("response") == "error", f"{name} was not refused"
        wire = answer.error
        code = next(code.name for code in grpc.StatusCode if code.value[0] == wire.code)
        reason = types_pb2.Reason.Name(wire.reason).removeprefix("REASON_")
        return Refusal(code, "" if wire.reason == 0 else reason, wire.field, wire.message)

    def end(self) -> Refusal:
        """Reads to the stream's end and returns what it was refused with."""
        try:
            for _ in self._answers:
                pass
        except grpc.RpcError as error:
            return refusal_of(error)
        raise AssertionError("the stream ended without a refusal")

    def finish(self) -> None:
        """Ends the stream as a good client does."""
        self._requests.put(None)
        for _ in self._answers:
            pass


class Wire:
    """A connection of its own to the daemon."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, _OPTIONS)
        self.kv_cache = kv_cache_pb2_grpc.KvCacheStub(self.channel)
        self.admin = admin_pb2_grpc.AdminStub(self.channel)

    def call(self, name: str, request: Any) -> Any:
        stub = self.kv_cache if hasattr(self.kv_cache, name) else self.admin
        return getattr(stub, name)(request, timeout=TIMEOUT_S)

    def refusal(self, name: str, request: Any) -> Refusal:
        try:
            self.call(name, request)
        except grpc.RpcError as error:
            return refusal_of(error)
        raise AssertionError(f"{name} was not refused")

    def raw_refusal(self, name: str, message: bytes) -> Refusal:
        """The refusal of a unary call whose message is these bytes."""
        try:
            self.channel.unary_unary(f"/sluice.v1.KvCache/{name}")(message, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return refusal_of(error)
        raise AssertionError(f"{name} was not refused")

    def status(self) -> admin_pb2.GetStatusResponse:
        return self.call("GetStatus", admin_pb2.GetStatusRequest())

    def stream(self, *, opened: bool = True) -> Stream:
        return Stream(self.kv_cache, opened=opened)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.channel.close()
