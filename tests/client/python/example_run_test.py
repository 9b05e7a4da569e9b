# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The example's run, with a service in this process in the daemon's place."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import sluice
from example import __main__ as run
from example.comparison import compare_full, equal_tokens
from example.daemon import Daemon, DaemonError
from example.daemon_attention import model_spec
from example.model import Model
from fake_service import FakeService

HALVED = dict.fromkeys(("sink_window", "l2norm", "snapkv", "dynamickv"), 0.5)


class ServedAlready:
    """Stands where Daemon does."""

    def __init__(self, address: str, exit_code: int) -> None:
        self.address = address
        self._exit_code = exit_code

    def stop(self) -> int:
        return self._exit_code

    def log_tail(self) -> str:
        return "the last lines of its log"


def run_main(
    monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, exit_code: int = 0
) -> tuple[int, dict[str, Any]]:
    @contextlib.contextmanager
    def daemon() -> Iterator[ServedAlready]:
        yield ServedAlready(address, exit_code)

    monkeypatch.setattr(run, "Daemon", daemon)
    monkeypatch.setattr(run, "_QUICK_PROMPT_TOKENS", (1, 150))
    monkeypatch.setattr(run, "_QUICK_GREEDY_TOKENS", 4)
    monkeypatch.setattr("sys.argv", ["example", "--quick", "--new-tokens=6", "--prompt-tokens=200"])
    monkeypatch.setenv("SLUICE_REPORT_DIR", str(folder))
    code = run.main()
    return code, {row["name"]: row for row in json.loads((folder / "run.json").read_text())}


def test_a_run_that_keeps_its_promises_prints_the_table_and_exits_with_0(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: grpc.Server,
    service: FakeService,
    address: str,
    tmp_path: Path,
) -> None:
    service.kept_share = HALVED
    code, rows = run_main(monkeypatch, tmp_path, address)
    assert code == 0
    assert rows["full_equal"]["value"] == 1
    assert rows["full_equal_compared"]["value"] == 2 * 2 * 4
    out = capsys.readouterr().out
    assert "--- full: 40713." in out
    *_, summary, figures = out.splitlines()
    assert summary.endswith("16 of 16 greedy tokens equal to in-process attention")
    assert figures == f"figures: {tmp_path / 'run.json'}"
    assert [rows[f"{name}_frees_memory"]["ok"] for name in HALVED] == [True] * 4
    assert rows["full_equal"]["bound"] == rows["full_equal"]["goal"] == 1
    full = next(line for line in out.splitlines() if line.startswith("full  "))
    assert full.split()[1:4] == ["205", "of", "205"]
    assert full.split()[-2:] == ["yes", "yes"]


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ({"value_error": np.float32(0.5)}, "full_equal"),
        ({"kept_share": {"l2norm": 0.5}}, "sink_window_frees_memory"),
        ({"kept_share": {**HALVED, "full": 0.9}}, "full_keeps_all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_promise_exits_with_1(
    monkeypatch: pytest.MonkeyPatch,
    server: grpc.Server,
    service: FakeService,
    address: str,
    tmp_path: Path,
    fault: dict[str, Any],
    broken: str,
) -> None:
    service.kept_share = HALVED
    for name, value in fault.items():
        setattr(service, name, value)
    code, rows = run_main(monkeypatch, tmp_path, address)
    assert code == 1
    assert not rows[broken]["ok"]


def test_a_daemon_that_ends_badly_exits_with_1(
    monkeypatch: pytest.MonkeyPatch,
    server: grpc.Server,
    service: FakeService,
    address: str,
    tmp_path: Path,
) -> None:
    service.kept_share = HALVED
    code, rows = run_main(monkeypatch, tmp_path, address, exit_code=-signal.SIGSEGV)
    assert code == 1
    assert rows["daemon_exit_code"]["value"] == -signal.SIGSEGV


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--prompt-tokens=10", "length: 10; must be at least 44"),
        ("--prompt-tokens=2000", "new-tokens: 96; must lie in [2, 48]"),
        ("--new-tokens=1", "new-tokens: 1; must lie in [2, 848]"),
        ("--depth=2", "depth: 2.0; must lie in [0, 1]"),
    ],
)
def test_an_argument_out_of_range_is_named_before_a_daemon_starts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argument: str,
    problem: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["example", argument])
    assert run.main() == 2
    assert capsys.readouterr().err.endswith(f"[example] arguments: {problem}\n")


def test_chunks_do_not_change_the_text(model: Model, client: sluice.Client) -> None:
    kv_model = client.register_model(model_spec(model.config))
    for comparison in compare_full(model, client, kv_model, [150], greedy_tokens=8):
        assert comparison.equal == comparison.compared == 8


def test_equal_tokens_stop_at_the_first_difference() -> None:
    assert equal_tokens([1, 2, 3], [1, 9, 3]) == 1
    assert equal_tokens([1, 2], [1, 2]) == 2


def test_a_daemon_that_ends_at_its_start_is_an_error_with_its_log(tmp_path: Path) -> None:
    binary = tmp_path / "sluiced"
    binary.write_text("#!/bin/sh\necho no room >&2\nexit 3\n")
    binary.chmod(0o755)
    with pytest.raises(DaemonError, match="code 3\nno room"):
        Daemon(binary)


def test_a_missing_daemon_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLUICED", str(tmp_path / "nothing"))
    with pytest.raises(DaemonError, match="no daemon at"):
        Daemon()
