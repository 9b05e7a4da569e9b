# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Starts sluiced on a socket in a private directory and stops it again."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

REPOSITORY = Path(__file__).resolve().parents[3]

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
_LOG_TAIL_LINES = 20


class DaemonError(RuntimeError):
    """The daemon could not be found, started or stopped; the message has the end of its log."""


def find_binary() -> Path:
    """The binary that SLUICED names, or the one of the default build. Raises DaemonError."""
    path = Path(os.environ.get("SLUICED", REPOSITORY / "build/default/daemon/sluiced"))
    if not path.is_file():
        raise DaemonError(f"no daemon at {path}: build it with `make build`, or set SLUICED")
    return path


class Daemon:
    """A running sluiced with its default configuration but for where it listens, and for flags.

    As a context manager it stops the daemon whatever happens.
    """

    def __init__(self, binary: Path | None = None, flags: Sequence[str] = ()) -> None:
        """Starts the daemon and waits until it serves; later flags win. Raises DaemonError."""
        binary = binary or find_binary()
        self._flags = list(flags)
        self._folder = tempfile.TemporaryDirectory(prefix="sluice-")
        self.address = f"unix:{self._folder.name}/sluice.sock"
        self._log_path = Path(self._folder.name) / "sluiced.log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start(binary)
        except BaseException:
            self._folder.cleanup()
            raise

    def start(self, binary: Path | None = None) -> None:
        """Starts it again, after `stop` or `kill`, at the same address. Raises DaemonError."""
        command = [str(binary or find_binary()), *self._where(), *self._flags]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._wait_until_serving(self._process)
        except BaseException:
            self.kill()
            raise

    def _where(self) -> list[str]:
        """The flags that say where it listens."""
        return [f"--listen={self.address}", "--metrics_address=off"]

    def stop(self) -> int:
        """Asks the daemon to end and returns its exit code. Raises DaemonError when it stays."""
        assert self._process is not None, "the daemon runs"
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            message = f"the daemon did not end within {_STOP_TIMEOUT_S} s of SIGTERM"
            raise DaemonError(f"{message}\n{self.log_tail()}") from None

    def kill(self) -> None:
        """Ends the daemon at once, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @property
    def process_id(self) -> int:
        assert self._process is not None, "the daemon runs"
        return self._process.pid

    def log_tail(self) -> str:
        lines = self._log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()

    def _wait_until_serving(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                message = f"the daemon ended at its start with code {process.returncode}"
                raise DaemonError(f"{message}\n{self.log_tail()}")
            if _is_serving(self.address):
                return
            time.sleep(_POLL_S)
        message = f"the daemon does not serve after {_START_TIMEOUT_S} s"
        raise DaemonError(f"{message}\n{self.log_tail()}")


def _is_serving(address: str) -> bool:
    # Without a pool of its own a channel would wait longer after each failure of another.
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
