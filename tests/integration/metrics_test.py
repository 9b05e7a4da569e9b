# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a scraper of /metrics finds."""

import re
import urllib.request
from collections.abc import Iterator

import numpy as np
import oracle
import pytest
import sluice
from example.daemon import Daemon

# What dashboards and alerts may rely on.
NAMES = {
    "sluice_pool_bytes",
    "sluice_pool_capacity_bytes",
    "sluice_cache_usage_ratio",
    "sluice_tenant_used_bytes",
    "sluice_tenant_max_bytes",
    "sluice_stored_tokens_total",
    "sluice_sessions",
    "sluice_sequences",
    "sluice_connections",
    "sluice_connections_rejected_total",
    "sluice_rejected_requests_total",
    "sluice_worker_queue_length",
    "grpc_server_call_started_total",
    "grpc_server_call_duration_seconds",
    "sluice_build_info",
    "sluice_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
}
TOKENS = 70
MOST_SERIES = 1000


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(flags=["--metrics_address=127.0.0.1:0", "--pool_bytes=33554432"]) as daemon:
        yield daemon
        assert daemon.stop() == 0, daemon.log_tail()


@pytest.fixture
def url(daemon: Daemon) -> str:
    found = re.search(r"port=(\d+) serves=metrics", daemon.log_tail())
    assert found, daemon.log_tail()
    return f"http://127.0.0.1:{found[1]}/metrics"


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return str(answer.read().decode())


def samples(text: str) -> dict[str, float]:
    """Value by series, its labels included."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def total(found: dict[str, float], name: str) -> float:
    return sum(value for series, value in found.items() if series.split("{")[0] == name)


def test_every_series_has_help_and_type_from_the_start(url: str) -> None:
    text = scrape(url)
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    typed = set(
        re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram|summary)$", text, re.MULTILINE)
    )
    assert helped == typed
    assert typed >= NAMES
    for series in samples(text):
        name = series.split("{")[0]
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in typed or family in typed, series
    assert len(samples(text)) <= MOST_SERIES


def test_an_idle_daemon_uses_none_of_its_cache(url: str) -> None:
    found = samples(scrape(url))
    assert found['sluice_pool_bytes{pool="host",state="reserved"}'] > 0
    assert found['sluice_cache_usage_ratio{pool="host"}'] == 0


def test_the_states_of_the_pool_add_up(daemon: Daemon, url: str) -> None:
    with sluice.Client(daemon.address) as client, client.session() as session:
        sequence = client.create_sequence(client.register_model(oracle.spec()), session=session)
        oracle.CheckedSequence(sequence, np.random.default_rng(1)).step(session, TOKENS)
        found = samples(scrape(url))
        held = sequence.get().held_bytes
    assert total(found, "sluice_pool_bytes") == total(found, "sluice_pool_capacity_bytes")
    assert found['sluice_pool_bytes{pool="host",state="in_use"}'] == held > 0
    assert found['sluice_tenant_used_bytes{tenant="default"}'] == held
    capacity = total(found, "sluice_pool_capacity_bytes")
    assert found['sluice_cache_usage_ratio{pool="host"}'] == pytest.approx(held / capacity)
    assert (found["sluice_sessions"], found["sluice_sequences"]) == (1, 1)


def test_calls_and_refusals_are_counted(daemon: Daemon, url: str) -> None:
    before = samples(scrape(url))
    with sluice.Client(daemon.address) as client:
        model = client.register_model(oracle.spec())
        with pytest.raises(sluice.InvalidArgument):
            client.create_sequence(model, policy=sluice.Policy("nothing"))
        with client.create_sequence(model) as sequence:
            oracle.CheckedSequence(sequence, np.random.default_rng(2)).step(client, TOKENS)
    after = samples(scrape(url))

    def added(name: str) -> float:
        return total(after, name) - total(before, name)

    assert added("sluice_rejected_requests_total") == 1
    assert after['sluice_rejected_requests_total{reason="FIELD_INVALID"}'] >= 1
    assert added("sluice_stored_tokens_total") == TOKENS
    assert added("grpc_server_call_started_total") >= 6
    assert added("grpc_server_call_duration_seconds_count") >= 6
    assert all(after[one] >= value for one, value in before.items() if "_total" in one)
