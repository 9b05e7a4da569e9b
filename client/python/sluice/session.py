# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A session: the stream that a client's sequences and steps live and end with."""

import threading
from types import TracebackType
from typing import Any

from sluice import errors
from sluice.connection import Connection, Transport
from sluice.step_calls import StepCalls
from sluice.stream import Stream


class _StepTransport:
    """One stream, which is not opened anew: a step on it ends with it. Implements Transport."""

    def __init__(self, stream: Stream, connection: Connection) -> None:
        self._stream = stream
        self._connection = connection

    def call(self, name: str, request: Any, timeout_s: float | None = None) -> Any:
        return self._stream.call(name, request, timeout_s)

    def inline_tensor_bytes(self) -> int:
        return self._connection.inline_tensor_bytes()

    def for_step(self) -> Transport:
        return self


class Session(StepCalls):
    """A session stream with heartbeats from a thread of its own; thread-safe.

    When the stream breaks, calls that wait and all later ones of its steps raise why, such as
    Unavailable, and the session's next call opens a new stream. What belonged to the old one is
    gone: calls on its sequences raise NotFound, or DaemonRestarted when the daemon is a new one.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        """Opens the session. Raises SluiceError."""
        super().__init__(self, connection.timeout_s)
        self._connection = connection
        self._name = name
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._closed = False
        self._live_stream()

    @property
    def id(self) -> int:
        """The id of the stream that is open now, or is opened for it."""
        return self._live_stream().session_id

    def call(self, name: str, request: Any, timeout_s: float | None = None) -> Any:
        return self._live_stream().call(name, request, timeout_s)

    def inline_tensor_bytes(self) -> int:
        return self._connection.inline_tensor_bytes()

    def for_step(self) -> Transport:
        return _StepTransport(self._live_stream(), self._connection)

    def close(self) -> None:
        """Ends the session, its open steps and its sequences."""
        with self._lock:
            self._closed = True
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _live_stream(self) -> Stream:
        with self._lock:
            if self._closed:
                raise errors.FailedPrecondition("the session is closed", code="FAILED_PRECONDITION")
            if self._stream is None or self._stream.ended:
                self._stream = None
                self._stream = self._open()
            return self._stream

    def _open(self) -> Stream:
        stub = self._connection.stub()
        try:
            connection = self._connection
            return Stream(stub, self._name, connection.timeout_s, connection.address)
        except errors.SluiceError as error:
            self._connection.note_failure(stub, error)
            raise
