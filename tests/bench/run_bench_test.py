# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The runner's reading of figures, its ratios and its verdicts."""

import json
import sys

import figures
import pytest
import run_bench

OURS = [
    {"name": "decode_vs_stream", "value": 0.7, "unit": "ratio", "attend_gb_per_s": 30.0},
    {"name": "prefill", "value": 100.0, "unit": "GFLOP/s", "ms": 200.0},
]
PEER = [
    {"name": "sdpa_decode", "value": 10.0, "unit": "GB/s"},
    {"name": "sdpa_prefill", "value": 300.0, "unit": "ms"},
    {"name": "sdpa_prefill", "value": 180.0, "unit": "ms"},
]


def measured_with(**values: float) -> figures.Measured:
    measured = figures.Measured()
    for bar in figures.BARS:
        measured.add(bar.name, bar.goal, "ratio")
    for name, value in values.items():
        measured.values[name] = [value]
        measured.units[name] = "ratio"
    return measured


def test_reads_figures_and_passes_over_other_lines():
    records = figures.parse_lines('warming up\n{"name": "a", "value": 2, "unit": "us"}\n')
    assert records == [{"name": "a", "value": 2, "unit": "us"}]


@pytest.mark.parametrize(
    "output",
    [
        "",
        "no figures here",
        '{"name": "a", "value": 2',
        '{"name": "a", "value": "fast", "unit": "us"}',
        '{"name": "a", "value": true, "unit": "us"}',
        '{"name": "a", "value": 1}',
        '{"value": 1, "unit": "us"}',
    ],
)
def test_refuses_what_is_no_figure(output):
    with pytest.raises(figures.BenchmarkError):
        figures.parse_lines(output)


def test_decode_ratio_is_of_rates():
    assert figures.decode_vs_peer(OURS, PEER) == pytest.approx(3.0)


def test_prefill_ratio_is_against_the_peers_fastest():
    assert figures.prefill_vs_peer(OURS, PEER) == pytest.approx(0.9)


def test_a_peer_without_a_figure_is_an_error():
    with pytest.raises(figures.BenchmarkError, match="sdpa_decode"):
        figures.decode_vs_peer(OURS, PEER[1:])


def test_a_rate_of_zero_is_an_error():
    with pytest.raises(figures.BenchmarkError, match="positive"):
        figures.decode_vs_peer(OURS, [{"name": "sdpa_decode", "value": 0.0, "unit": "GB/s"}])


def test_the_median_of_the_rounds_counts():
    measured = figures.Measured()
    for value in (1.0, 9.0, 2.0):
        measured.add("x", value, "us")
    assert measured.median("x") == 2.0


def test_a_figure_at_its_goal_is_ok():
    report, errors = figures.figures_of(measured_with(), peers=True)
    assert not errors
    assert [figure.name for figure in report] == [bar.name for bar in figures.BARS]
    assert all(figure.ok for figure in report)


@pytest.mark.parametrize(
    ("name", "value"), [("decode_vs_stream", 0.6), ("mass_cost", 1.2), ("begin_step_us", 101.0)]
)
def test_a_figure_on_the_wrong_side_is_not_ok(name, value):
    report, errors = figures.figures_of(measured_with(**{name: value}), peers=True)
    assert not errors
    assert [figure.name for figure in report if not figure.ok] == [name]


def test_faster_than_the_stream_is_an_error():
    _, errors = figures.figures_of(measured_with(decode_vs_stream=1.01), peers=True)
    assert len(errors) == 1 and "decode_vs_stream" in errors[0]


def test_a_missing_bar_is_an_error_and_peers_only_where_asked_for():
    measured = measured_with()
    for name in ("decode_vs_sdpa", "prefill_vs_sdpa", "mass_cost"):
        del measured.values[name]
    assert figures.figures_of(measured, peers=False)[1] == ["mass_cost was not measured"]
    assert len(figures.figures_of(measured, peers=True)[1]) == 3


def test_other_figures_are_told_without_a_verdict():
    report, _ = figures.figures_of(measured_with(fork_us=3.0), peers=True)
    assert report[-1] == figures.Figure("fork_us", 3.0, "ratio")


def test_the_table_names_goal_and_verdict():
    report, _ = figures.figures_of(measured_with(mass_cost=2.0), peers=True)
    lines = figures.table(report).splitlines()
    cost = next(line for line in lines if line.startswith("mass_cost"))
    assert cost.split() == ["mass_cost", "2", "ratio", "<=", "1.1", "NO"]
    stream = next(line for line in lines if line.startswith("decode_vs_stream"))
    assert stream.split() == ["decode_vs_stream", "0.65", "ratio", "1", ">=", "0.65", "yes"]


def test_a_program_that_fails_or_is_missing_is_an_error(tmp_path):
    with pytest.raises(figures.BenchmarkError, match="there is no"):
        run_bench.run_program("x", [str(tmp_path / "nothing")])
    with pytest.raises(figures.BenchmarkError, match="exit code 3"):
        run_bench.run_program("x", [sys.executable, "-c", "raise SystemExit(3)"])


def test_a_programs_figures_are_read():
    figure = {"name": "a", "value": 1.5, "unit": "us"}
    code = f"print({json.dumps(json.dumps(figure))})"
    assert run_bench.run_program("x", [sys.executable, "-c", code]) == [figure]
