# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A device that has no memory, and one that fails, as the daemon's user sees it.

SLUICED names a daemon over emulated blocks whose device fails as the environment says.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon, find_binary

FAILED, DEVICE_LOST = 1, 3
POOL_BYTES = 16 << 20
TABLES = [
    "4489472 bytes of the device's memory for tables, 12 are free",
    "4096 bytes of host memory for tables",
]
LANE = [
    "262144 bytes of host memory for operations of the device",
    "262144 bytes of the device's memory for operations, 12 are free",
    "2097152 bytes of the device's memory for operations, 12 are free",
]
TIMEOUT_S = 60


@pytest.mark.parametrize(("failing", "wanted"), enumerate([*TABLES, *LANE, *LANE], start=1))
def test_memory_that_a_device_lacks_ends_the_start_with_a_line(
    failing: int, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_FAILING_ALLOCATION", str(failing))
    command = [str(find_binary()), f"--listen=unix:{tmp_path}/s.sock", "--metrics_address=off"]
    found = subprocess.run([*command, f"--pool_bytes={POOL_BYTES}"], capture_output=True,
                           text=True, timeout=TIMEOUT_S)  # fmt: skip
    assert found.returncode == FAILED, found.stderr
    said = [line for line in found.stderr.splitlines() if not line.startswith("time=")]
    assert said == [
        f"sluiced: backend: no {wanted}; pool.bytes (--pool_bytes) is {POOL_BYTES}"
    ], found.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def daemon(failing: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with monkeypatch.context() as faulty:
        faulty.setenv(f"SLUICE_FAILING_{failing.upper()}", "20")
        daemon = Daemon(flags=[f"--pool_bytes={POOL_BYTES}"])
    with daemon:
        yield daemon


def work(client: sluice.Client, steps: int) -> None:
    """Checked steps; raises SluiceError when the daemon goes away."""
    with client.session() as session:
        model = client.register_model(oracle.spec())
        sequence = client.create_sequence(model, session=session)
        checked = oracle.CheckedSequence(sequence, np.random.default_rng(1))
        for _ in range(steps):
            checked.step(client, 3)
        sequence.free()


@pytest.mark.parametrize("failing", ["launch", "wait"])
def test_a_lost_device_ends_the_daemon_and_the_next_one_serves(
    daemon: Daemon, failing: str
) -> None:
    with sluice.Client(daemon.address) as client, pytest.raises(sluice.SluiceError) as heard:
        work(client, 1000)
    assert isinstance(heard.value, sluice.Unavailable), heard.value
    assert daemon.stop() == DEVICE_LOST, daemon.log_tail()  # it has ended by itself
    said = [line for line in daemon.log_tail().splitlines() if not line.startswith("time=")]
    assert said == [f"the device failed: a {failing}: it is gone"], daemon.log_tail()
    daemon.start()
    with sluice.Client(daemon.address) as client:
        work(client, 3)
    assert daemon.stop() == 0, daemon.log_tail()
