# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Clients in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import eventually

TIMEOUT_S = 60


class ClientProcess:
    """A running client_process.py or another script, killed at the latest when the block ends."""

    def __init__(
        self, address: str, mode: str, *arguments: int, script: str = "client_process.py"
    ) -> None:
        path = Path(__file__).with_name(script)
        command = [sys.executable, str(path), address, mode, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return str(self.process.stdout.readline().strip())

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_for(self, word: str) -> None:
        assert self.hear() == word

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def finish(self) -> None:
        self.wait_for("done")
        assert self.process.wait(TIMEOUT_S) == 0

    def __enter__(self) -> "ClientProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def states_of(process_id: int) -> set[str]:
    """Of its threads, which a signal does not stop all at once."""
    files = Path(f"/proc/{process_id}/task").glob("*/stat")
    return {file.read_text().rpartition(")")[2].split()[0] for file in files}


@contextmanager
def stopped(process_id: int) -> Iterator[None]:
    os.kill(process_id, signal.SIGSTOP)
    try:
        eventually(lambda: states_of(process_id), lambda now: now == {"T"}, "it runs on")
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)
