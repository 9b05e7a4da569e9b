# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A daemon with several tenants, each on a socket of its own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from example.daemon import Daemon


class TenantsDaemon(Daemon):
    """A daemon whose tenants are `first`, at its `address`, and `second`."""

    def __init__(self, flags: Sequence[str] = (), **fields: Any) -> None:
        """`fields`: of each tenant besides its name and socket."""
        self._fields = fields
        super().__init__(flags=flags)

    @property
    def second_address(self) -> str:
        return f"{self.address}.second"

    def _where(self) -> list[str]:
        tenants = [
            {"name": name, "socket_path": address.removeprefix("unix:"), **self._fields}
            for name, address in (("first", self.address), ("second", self.second_address))
        ]
        path = Path(f"{self.address.removeprefix('unix:')}.json")
        path.write_text(json.dumps({"tenants": tenants}))
        return [f"--config={path}", "--metrics_address=off"]
