# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A way to the daemon that breaks after so many bytes."""

import selectors
import socket
import threading
from pathlib import Path

CHUNK_BYTES = 1 << 16


class CuttingProxy:
    """Passes one connection on, until `limit_bytes` have gone to the daemon: then both sides are
    closed at once, whatever is on its way."""

    def __init__(self, path: Path, address: str, limit_bytes: int) -> None:
        self.address = f"unix:{path}"
        self._left_bytes = limit_bytes
        self._daemon = socket.socket(socket.AF_UNIX)
        self._daemon.connect(address.removeprefix("unix:"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Breaks it now."""
        self._daemon.shutdown(socket.SHUT_RDWR)
        self.join()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        self._listener.close()
        with client, self._daemon, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, self._daemon)
            ready.register(self._daemon, selectors.EVENT_READ, client)
            while self._left_bytes > 0:
                for key, _ in ready.select():
                    if not self._pass_on(client, key.fileobj, key.data):  # type: ignore[arg-type]
                        return

    def _pass_on(self, client: socket.socket, source: socket.socket, to: socket.socket) -> bool:
        """False at the end of the connection."""
        most = min(CHUNK_BYTES, self._left_bytes) if source is client else CHUNK_BYTES
        try:
            data = source.recv(most)
            to.sendall(data)
        except OSError:
            return False
        if source is client:
            self._left_bytes -= len(data)
        return bool(data)
