# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The runner's verdicts over what a benchmark of a GPU prints."""

import json
import sys
from pathlib import Path

import pytest

import run_gpu_bench
from figures import BenchmarkError
from gpu_figures import BARS

DEVICE = {"name": "gpu_multiprocessors", "value": 132, "unit": "", "device": "NVIDIA H200"}


def lines(**values: float) -> str:
    """What meets every bar, but for `values`."""
    figures = {bar.name: bar.goal for bar in BARS if not bar.needs_peers} | values
    records = [DEVICE] + [{"name": name, "value": value, "unit": "us"}
                          for name, value in figures.items()]
    return "".join(json.dumps(record) + "\n" for record in records)


def run(monkeypatch, tmp_path: Path, program: str, peers=()) -> int:
    report = tmp_path / "bench_gpu.json"
    monkeypatch.setattr(run_gpu_bench, "peers", lambda: list(peers))
    monkeypatch.setattr(sys, "argv", ["run_gpu_bench.py", "--report", str(report), "--commit",
                                      "abc", sys.executable, "-c", program])
    return run_gpu_bench.main()


def printing(text: str) -> str:
    return f"print({text!r}, end='')"


def test_writes_figures_with_device_and_commit(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, printing(lines())) == 0
    report = json.loads((tmp_path / "bench_gpu.json").read_text())
    assert (report["device"], report["commit"]) == ("NVIDIA H200", "abc")
    row = next(row for row in report["figures"] if row["name"] == "gpu_decode_512mb_vs_read")
    assert row == {"name": "gpu_decode_512mb_vs_read", "value": 0.92, "unit": "us",
                   "bound": 1.0, "goal": 0.92, "ok": True}
    assert ">= 0.92" in capsys.readouterr().out


def test_says_why_there_is_no_gpu(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, "print('skipped: no device'); exit(77)") == 77
    assert capsys.readouterr().out == "skipped: no device\n"


def test_a_missed_goal_is_no_fault(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, printing(lines(gpu_decode_4mb_us=9.0))) == 0
    assert "NO" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["gpu_append_64k_vs_copy", "gpu_copy_pages_vs_copy",
                                  "gpu_decode_512mb_mass_vs_read"])
def test_what_is_faster_than_the_ceiling_fails(monkeypatch, tmp_path, capsys, name):
    assert run(monkeypatch, tmp_path, printing(lines(**{name: 1.01}))) == 1
    assert f"error: {name} is 1.01, above what is possible" in capsys.readouterr().out


def test_a_benchmark_that_ends_early_fails(monkeypatch, tmp_path, capsys):
    program = printing(json.dumps(DEVICE) + "\n") + "; exit(1)"
    assert run(monkeypatch, tmp_path, program) == 1
    said = capsys.readouterr().out
    assert "exit code 1" in said
    assert "gpu_decode_512mb_vs_read was not measured" in said


def test_nothing_printed_is_an_error(monkeypatch, tmp_path):
    with pytest.raises(BenchmarkError):
        run(monkeypatch, tmp_path, "exit(1)")


def test_compares_with_peers(monkeypatch, tmp_path):
    peers = [{"name": "torch_decode_512mb_sdpa_flash_us", "value": 300.0, "unit": "us"},
             {"name": "torch_matmul_tflops", "value": 600.0, "unit": "TFLOP/s"}]
    run(monkeypatch, tmp_path,
        printing(lines(gpu_decode_512mb_us=150.0, gpu_prefill_8k_tflops=300.0)), peers)
    rows = json.loads((tmp_path / "bench_gpu.json").read_text())["figures"]
    values = {row["name"]: row["value"] for row in rows}
    assert values["gpu_decode_512mb_vs_sdpa_flash"] == pytest.approx(2.0)
    assert values["gpu_prefill_8k_vs_matmul"] == pytest.approx(0.5)
