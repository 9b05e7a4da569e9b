# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The channel to the daemon, unary calls on it, and connecting anew after it broke."""

import os
import threading
from typing import Any, Protocol

import grpc

from sluice import errors
from sluice._generated import admin_pb2_grpc, kv_cache_pb2, kv_cache_pb2_grpc

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Without this a new channel would inherit the old one's wait before it may reconnect.
    ("grpc.use_local_subchannel_pool", 1),
]


_MAX_PATH_BYTES = 107  # of sockaddr_un, less its end


def check_address(address: str) -> None:
    """Raises ValueError unless it is `unix:/path` or `host:port`."""
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        if not path.startswith("/") or len(os.fsencode(path)) > _MAX_PATH_BYTES:
            most = f"must be absolute and at most {_MAX_PATH_BYTES} bytes long"
            raise ValueError(f'address: the path of "{address}" {most}')
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f'address: "{address}" is neither unix:/path nor host:port')


class Transport(Protocol):
    """A way for a step's calls to reach the daemon."""

    def call(self, name: str, request: Any, timeout_s: float | None = None) -> Any:
        """Sends the request of the RPC `name` and returns its answer. Raises SluiceError."""

    def inline_tensor_bytes(self) -> int:
        """The most bytes that the tensors of one request may have together."""

    def for_step(self) -> "Transport":
        """The way for a step that begins now: it ends when what the step depends on has ended."""


class Connection:
    """One channel at a time; thread-safe. Implements Transport with unary calls."""

    def __init__(self, address: str, timeout_s: float) -> None:
        """Raises ValueError for a malformed address."""
        check_address(address)
        self.address = address
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._closed = False
        self._channel: grpc.Channel | None = None
        self._stub: Any = None
        self._admin_stub: Any = None
        self._inline_tensor_bytes: int | None = None

    def call(self, name: str, request: Any, timeout_s: float | None = None) -> Any:
        stub = self.stub()
        return self._send(stub, getattr(stub, name), request, timeout_s)

    def call_admin(self, name: str, request: Any) -> Any:
        """As `call`, but of the service Admin."""
        with self._lock:
            stub = self._live_stub()
            method = getattr(self._admin_stub, name)
        return self._send(stub, method, request, None)

    def _send(self, stub: Any, method: Any, request: Any, timeout_s: float | None) -> Any:
        try:
            return method(request, timeout=timeout_s or self.timeout_s)
        except grpc.RpcError as error:
            found = errors.from_rpc(error, self.address)
            self.note_failure(stub, found)
            raise found from None
        except ValueError as error:  # what gRPC raises on a channel that another thread closed
            raise errors.Unavailable(str(error), code="UNAVAILABLE") from None

    def stub(self) -> Any:
        """The stub of a live channel. Raises FailedPrecondition once closed."""
        with self._lock:
            return self._live_stub()

    def _live_stub(self) -> Any:
        """Under the lock."""
        if self._closed:
            raise errors.FailedPrecondition("the client is closed", code="FAILED_PRECONDITION")
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.address, options=_OPTIONS)
            self._stub = kv_cache_pb2_grpc.KvCacheStub(self._channel)  # type: ignore[no-untyped-call]
            self._admin_stub = admin_pb2_grpc.AdminStub(self._channel)  # type: ignore[no-untyped-call]
        return self._stub

    def note_failure(self, stub: Any, error: errors.SluiceError) -> None:
        """Drops the stub's channel if the failure says that nobody is at its other end."""
        if not isinstance(error, errors.Unavailable) or error.reason:
            return
        with self._lock:
            channel = self._channel if self._stub is stub else None
            if channel is not None:
                self._forget_channel()
        if channel is not None:
            channel.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            channel = self._channel
            self._forget_channel()
        if channel is not None:
            channel.close()

    def inline_tensor_bytes(self) -> int:
        with self._lock:
            known = self._inline_tensor_bytes
        if known is None:
            answer = self.call("GetCapabilities", kv_cache_pb2.GetCapabilitiesRequest())
            known = int(answer.limits.inline_tensor_bytes)
            with self._lock:
                self._inline_tensor_bytes = known
        return known

    def for_step(self) -> Transport:
        return self

    def _forget_channel(self) -> None:
        self._channel = None
        self._stub = None
        self._admin_stub = None
        self._inline_tensor_bytes = None
