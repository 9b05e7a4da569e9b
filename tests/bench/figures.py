# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What the benchmarks print, the bars that it is held against, and the table."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Record = dict[str, object]


class BenchmarkError(Exception):
    """A benchmark failed, printed something else than figures, or measured what cannot be."""


@dataclass(frozen=True)
class Bar:
    """What a figure should reach; `goal` and `bound` as in Figure."""

    name: str
    goal: float
    at_least: bool = False  # else: at most
    bound: float | None = None
    impossible_above: float | None = None
    needs_peers: bool = False


@dataclass(frozen=True)
class Figure:
    """One figure, with the fields of those of `make run`.

    They are not the same class: the example sets BLAS threads for its process and its children.

    goal: what is asked of the value, at most or at least; None: the figure is only told.
    ok: the goal is met; True without one.
    bound: the limit that arithmetic or the design puts on the value, where there is one.
    """

    name: str
    value: float
    unit: str
    bound: float | None = None
    goal: float | None = None
    ok: bool = True


BARS = (
    Bar("attend_error", 1e-5),
    Bar("decode_vs_stream", 0.65, at_least=True, bound=1.0, impossible_above=1.0),
    Bar("decode_vs_sdpa", 2.0, at_least=True, needs_peers=True),
    Bar("short_rows_vs_long", 1.3),
    Bar("prefill_vs_sdpa", 0.75, at_least=True, needs_peers=True),
    Bar("mass_cost", 1.10),
    Bar("mass_cost_chunk", 1.6),
    Bar("cascade_cost", 1.30),
    Bar("cascade_cost_small_group", 1.45),
    Bar("select_vs_nth_element", 10.0, at_least=True),
    Bar("append_vs_memcpy", 0.6, at_least=True),
    Bar("call_vs_empty_stream", 1.3),
    Bar("background_p99", 1.3),
    Bar("begin_step_us", 100.0, bound=100.0),
    Bar("layer_call_us", 10.0, bound=10.0),
    Bar("commit_slice_us", 1000.0, bound=1000.0),
    Bar("free_slice_us", 1000.0, bound=1000.0),
    Bar("client_death_slice_us", 1000.0, bound=1000.0),
    Bar("pool_overhead_percent", 5.0),
)


def parse_lines(output: str) -> list[Record]:
    """The figures among the lines of a program's output. Raises BenchmarkError."""
    records: list[Record] = []
    for line in output.splitlines():
        if not line.startswith("{"):
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise BenchmarkError(f"not JSON: {line!r} ({error})") from None
        value = record.get("value")
        if not isinstance(record.get("name"), str) or not isinstance(record.get("unit"), str):
            raise BenchmarkError(f"a figure without name or unit: {line!r}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BenchmarkError(f"a figure whose value is no number: {line!r}")
        records.append(record)
    if not records:
        raise BenchmarkError("no figure was printed")
    return records


def number(record: Record, key: str) -> float:
    """A field that must be a positive number. Raises BenchmarkError."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise BenchmarkError(f"{record.get('name')}: {key} is {value!r}, not a positive number")
    return float(value)


def named(records: Iterable[Record], name: str) -> list[Record]:
    found = [record for record in records if record["name"] == name]
    if not found:
        raise BenchmarkError(f"{name} was not printed")
    return found


@dataclass
class Measured:
    """Figures by name, one value for each round in which they were measured."""

    values: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str) -> None:
        self.values.setdefault(name, []).append(value)
        self.units[name] = unit

    def add_records(self, records: Iterable[Record], prefix: str = "") -> None:
        for record in records:
            value = record["value"]
            assert isinstance(value, int | float), "parse_lines has looked"
            self.add(prefix + str(record["name"]), float(value), str(record["unit"]))

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])


def decode_vs_peer(ours: Sequence[Record], peer: Sequence[Record]) -> float:
    """How many times as fast we read the same rows, in one round. Raises BenchmarkError."""
    rate = number(named(ours, "decode_vs_stream")[0], "attend_gb_per_s")
    return rate / max(number(record, "value") for record in named(peer, "sdpa_decode"))


def prefill_vs_peer(ours: Sequence[Record], peer: Sequence[Record]) -> float:
    """The same for prefill, against the peer's fastest element type."""
    milliseconds = number(named(ours, "prefill")[0], "ms")
    return min(number(record, "value") for record in named(peer, "sdpa_prefill")) / milliseconds


def meets(bar: Bar, value: float) -> bool:
    return value >= bar.goal if bar.at_least else value <= bar.goal


def figures_of(
    measured: Measured, peers: bool, asked: Sequence[Bar] = BARS
) -> tuple[list[Figure], list[str]]:
    """The report, bars first, and what is wrong with it: bars without a figure, impossible ones."""
    figures: list[Figure] = []
    errors: list[str] = []
    for bar in asked:
        if bar.needs_peers and not peers:
            continue
        if bar.name not in measured.values:
            errors.append(f"{bar.name} was not measured")
            continue
        value = measured.median(bar.name)
        if bar.impossible_above is not None and value > bar.impossible_above:
            errors.append(f"{bar.name} is {value:.4g}, above what is possible")
        unit = measured.units[bar.name]
        figures.append(Figure(bar.name, value, unit, bar.bound, bar.goal, meets(bar, value)))
    bars = {bar.name for bar in asked}
    for name in measured.values:
        if name not in bars:
            figures.append(Figure(name, measured.median(name), measured.units[name]))
    return figures, errors


def _goal_text(name: str, goal: float | None, asked: Sequence[Bar]) -> str:
    if goal is None:
        return ""
    at_least = any(bar.name == name and bar.at_least for bar in asked)
    return f"{'>=' if at_least else '<='} {goal:g}"


def table(figures: Sequence[Figure], asked: Sequence[Bar] = BARS) -> str:
    rows = [("name", "value", "unit", "bound", "goal", "ok")]
    for figure in figures:
        bound = "" if figure.bound is None else f"{figure.bound:g}"
        ok = "" if figure.goal is None else "yes" if figure.ok else "NO"
        goal = _goal_text(figure.name, figure.goal, asked)
        rows.append((figure.name, f"{figure.value:.4g}", figure.unit, bound, goal, ok))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)
