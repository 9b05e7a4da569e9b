# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Starts that must fail: with a clear line, the right code, and nothing taken or left behind."""

import json
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from example.daemon import Daemon, find_binary
from waiting import eventually
from wire import Wire

FAILED, BAD_USAGE = 1, 2
TIMEOUT_S = 60
TOUCHED = "pool_touch_begins"  # what the log says before the pool is taken
RACERS = 6


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [str(find_binary()), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)


def own(folder: Path, *flags: str) -> list[str]:
    """Flags of a start that nothing else is wrong with; later ones win."""
    return [f"--listen=unix:{folder}/s.sock", "--metrics_address=off", *flags]


@dataclass(frozen=True)
class BadStart:
    name: str
    flags: list[str]
    says: str
    code: int = BAD_USAGE
    config: dict[str, Any] = field(default_factory=dict)


CASES = [
    BadStart("empty pool", ["--pool_bytes="], "--pool_bytes: must be a number of bytes"),
    BadStart("no number", ["--pool_bytes=1GiB"], "--pool_bytes: must be a number of bytes"),
    BadStart("small pool", ["--pool_bytes=4096"], "pool.bytes: must be in"),
    BadStart("empty socket", ["--listen="], "--listen: must be unix:/path,"),
    BadStart("empty path", ["--listen=unix:"], "--listen: must be unix:/path,"),
    BadStart("relative path", ["--listen=unix:s.sock"],
             "listen.socket_path: must be an absolute path"),
    BadStart("open address", ["--listen=0.0.0.0:80"], "--listen: must be unix:/path,"),
    BadStart("empty level", ["--log_level="], "--log_level: must be debug"),
    BadStart("no such flag", ["--pool_bites=1"], "pool_bites"),
    BadStart("no file", ["--config=/nowhere/config.json"], "/nowhere/config.json"),
    BadStart("empty name of a file", ["--config="], "--config: must name a file"),
    BadStart("argument", ["extra"], "takes flags only"),
    BadStart("unknown field", [], "bites", config={"pool": {"bites": 3}}),
    BadStart("unknown field above", [], "pol", config={"pol": {}}),
    BadStart("wrong type", [], "bytes", config={"pool": {"bytes": "many"}}),
    BadStart("pool beyond the machine", [f"--pool_bytes={400 << 30}"],
             f"pool.bytes (--pool_bytes) is {400 << 30}", FAILED),
    BadStart("folder of a folder that is not there", ["--listen=unix:{folder}/a/b/s.sock"],
             "cannot make the socket's directory {folder}/a/b", FAILED),
    BadStart("folder is a file", ["--listen=unix:{folder}/file/s.sock"],
             "{folder}/file", FAILED),
    BadStart("folder that takes no files", ["--listen=unix:/proc/self/s.sock"],
             "cannot bind /proc/self/s.sock", FAILED),
    BadStart("socket is a file", ["--listen=unix:{folder}/file"],
             "{folder}/file is there and is no socket", FAILED),
    BadStart("socket is a folder", ["--listen=unix:{folder}"], "is there and is no socket", FAILED),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_start_says_what_is_wrong_and_leaves_nothing(case: BadStart, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    flags = own(tmp_path, *(flag.format(folder=tmp_path) for flag in case.flags))
    if case.config:
        (tmp_path / "config.json").write_text(json.dumps(case.config))
        flags.append(f"--config={tmp_path}/config.json")
    before = sorted(tmp_path.iterdir())
    found = run(*flags)
    assert (found.returncode, case.says.format(folder=tmp_path) in found.stderr) == (
        case.code,
        True,
    ), found.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_a_second_daemon_ends_before_it_takes_its_pool(tmp_path: Path) -> None:
    with Daemon(flags=["--pool_bytes=33554432"]) as daemon, Wire(daemon.address) as wire:
        found = run(*own(tmp_path, f"--listen={daemon.address}"))
        path = daemon.address.removeprefix("unix:")
        assert (found.returncode, TOUCHED in found.stderr) == (FAILED, False), found.stderr
        assert f"a daemon listens on {path} already" in found.stderr
        assert wire.status().pool.total_bytes > 0
        with Wire(daemon.address) as another:
            assert another.status().pool.total_bytes > 0


@pytest.mark.parametrize("what", ["metrics_address", "listen"])
def test_a_taken_port_ends_the_start_before_the_pool(tmp_path: Path, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = run(*own(tmp_path, f"--{what}={address}"))
    assert (found.returncode, TOUCHED in found.stderr) == (FAILED, False), found.stderr
    assert address in found.stderr and "is the port taken?" in found.stderr
    assert list(tmp_path.iterdir()) == []


def test_of_daemons_that_start_at_once_one_serves(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:  # one that a killed daemon left
        dead.bind(str(path))
    command = [str(find_binary()), *own(tmp_path, "--pool_bytes=16777216")]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(RACERS)]
    try:
        eventually(
            lambda: sum(one.poll() is not None for one in racers),
            lambda ended: ended >= RACERS - 1,
            "more than one stays",
        )
        lost = [one for one in racers if one.poll() is not None]
        assert [one.returncode for one in lost] == [FAILED] * (RACERS - 1)
        assert all("listens on" in one.stderr.read() for one in lost if one.stderr)
        with Wire(f"unix:{path}") as wire:
            assert wire.status().pool.total_bytes > 0
    finally:
        for one in racers:
            one.kill()
            one.communicate()
