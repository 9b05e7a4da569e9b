# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""One life of a session stream: calls and their answers, heartbeats, and its end."""

import itertools
import queue
import threading
from typing import Any

import grpc

from sluice import errors
from sluice._generated import session_pb2

_FIELDS = {
    "Open": "open",
    "Heartbeat": "heartbeat",
    "BeginStep": "begin_step",
    "EndStep": "end_step",
    "Append": "append",
    "Attend": "attend",
}
_HEARTBEATS_PER_LIMIT = 3
_CLOSE_TIMEOUT_S = 2.0

# What a waiting call gets: its answer, or why there will be none.
_Answer = session_pb2.SessionResponse | errors.SluiceError


class Stream:
    """A session stream from its opening to its end, after which every call fails; thread-safe.

    Two threads serve it: one hands answers to the calls that wait for them, one sends heartbeats.
    """

    def __init__(self, stub: Any, client_name: str, timeout_s: float, address: str) -> None:
        """Opens the session. Raises SluiceError."""
        self._timeout_s = timeout_s
        self._address = address
        self._lock = threading.Lock()
        self._call_ids = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[_Answer]] = {}
        self._failure: errors.SluiceError | None = None
        self._ended = threading.Event()
        self._silent = False
        self._requests: queue.SimpleQueue[session_pb2.SessionRequest | None] = queue.SimpleQueue()
        self._rpc = stub.Session(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read, name="sluice-reader", daemon=True)
        self._reader.start()
        try:
            opened = self.call("Open", session_pb2.OpenSessionRequest(client_name=client_name))
        except errors.SluiceError:
            self.close()
            raise
        self.session_id: int = opened.session_id
        self.epoch: int = opened.epoch
        self._limit_s = opened.heartbeat_limit.ToNanoseconds() / 1e9
        threading.Thread(target=self._send_heartbeats, name="sluice-beat", daemon=True).start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def call(self, name: str, request: Any, timeout_s: float | None = None) -> Any:
        """Sends a request and waits for its answer. Raises SluiceError."""
        field = _FIELDS[name]
        call_id = next(self._call_ids)
        message = session_pb2.SessionRequest(call_id=call_id, **{field: request})
        answer = self._exchange(call_id, message, timeout_s or self._timeout_s)
        if isinstance(answer, errors.SluiceError):
            raise errors.again(answer)
        if answer.HasField("error"):
            raise errors.from_stream(answer.error)
        return getattr(answer, field)

    def close(self) -> None:
        """Ends the session, and with it its sequences and open steps. May be called again."""
        self._requests.put(None)
        self._reader.join(_CLOSE_TIMEOUT_S)
        if self._reader.is_alive():
            self._rpc.cancel()
            self._reader.join(_CLOSE_TIMEOUT_S)

    def _exchange(
        self, call_id: int, message: session_pb2.SessionRequest, timeout_s: float
    ) -> _Answer:
        waiting: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        with self._lock:
            if self._failure is not None:
                return self._failure
            self._waiting[call_id] = waiting
        self._requests.put(message)
        try:
            return waiting.get(timeout=timeout_s)
        except queue.Empty:
            return errors.DeadlineExceeded(
                f"no answer within {timeout_s} s", code="DEADLINE_EXCEEDED"
            )
        finally:
            with self._lock:
                self._waiting.pop(call_id, None)

    def _read(self) -> None:
        failure = errors.make_error("UNAVAILABLE", "the session has ended")
        try:
            for response in self._rpc:
                with self._lock:
                    waiting = self._waiting.get(response.call_id)
                if waiting is not None:
                    waiting.put(response)
        except grpc.RpcError as error:
            failure = errors.from_rpc(error, self._address)
            if self._silent:
                message = f"sluiced at {self._address} did not answer for {self._limit_s} s"
                failure = errors.make_error("UNAVAILABLE", f"{message}; the session has ended")
        finally:
            self._fail(failure)

    def _fail(self, failure: errors.SluiceError) -> None:
        with self._lock:
            self._failure = failure
            waiting = list(self._waiting.values())
        self._ended.set()
        self._requests.put(None)
        for one in waiting:
            one.put(failure)

    def _send_heartbeats(self) -> None:
        while not self._ended.wait(self._limit_s / _HEARTBEATS_PER_LIMIT):
            try:
                self.call("Heartbeat", session_pb2.HeartbeatRequest(), self._limit_s)
            except errors.DeadlineExceeded:
                self._silent = True
                self._rpc.cancel()
            except errors.SluiceError:
                pass  # a broken stream ends the loop; a refused heartbeat came from a live daemon
