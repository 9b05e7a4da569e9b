# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Finished cells as lines of a file, so that a run that was cut short goes on where it was."""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType

from cells import Key, Record, record_from_json, record_to_json


class StoreError(RuntimeError):
    """The file is in use by another run, or holds what no run has written."""


class CellStore:
    """A JSONL file, held by one run at a time and written through with every cell.

    A last line that was cut short is dropped; later lines win. Cells that another build of the
    daemon has measured are left in the file and not used, unless told so. Not thread-safe.
    """

    def __init__(self, path: Path, daemon: str, *, any_daemon: bool = False) -> None:
        """`daemon`: hash of the binary that measures. Raises StoreError."""
        self.path = path
        self.of_other_daemons = 0
        self._daemon = daemon
        self._records: dict[Key, Record] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load(any_daemon)
        except BlockingIOError:
            self._file.close()
            raise StoreError(f"{path}: another run is writing it") from None
        except StoreError:
            self._file.close()
            raise

    def find(self, key: Key) -> Record | None:
        return self._records.get(key)

    def add(self, record: Record) -> None:
        line = json.dumps({"daemon": self._daemon, **record_to_json(record)})
        self._file.write(line.encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._records[record.key] = record

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "CellStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self, any_daemon: bool) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                values = json.loads(line)
                daemon = values.pop("daemon")
                record = record_from_json(values)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise StoreError(f"{self.path}:{number}: no finished cell: {error}") from error
            if any_daemon or daemon == self._daemon:
                self._records[record.key] = record
            else:
                self.of_other_daemons += 1
