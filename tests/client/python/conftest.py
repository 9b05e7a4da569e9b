# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Puts the client's sources on the path, and what several test files share."""

# ruff: noqa: E402

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import grpc
import pytest
import sluice
from example.model import Model
from example.weights import load_weights
from fake_service import MODEL, FakeService, serve


@pytest.fixture(scope="session")
def model() -> Model:
    return Model(load_weights())


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/sluice.sock"


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def server(service: FakeService, address: str) -> Iterator[grpc.Server]:
    server = serve(service, address)
    yield server
    server.stop(None).wait()


@pytest.fixture
def restart(address: str) -> Iterator[Callable[[FakeService], None]]:
    """Serves another service at the same address."""
    servers: list[grpc.Server] = []
    yield lambda service: servers.append(serve(service, address))
    for server in servers:
        server.stop(None).wait()


@pytest.fixture
def client(server: grpc.Server, address: str) -> Iterator[sluice.Client]:
    with sluice.Client(address, timeout_s=20) as client:
        yield client


@pytest.fixture
def kv_model(client: sluice.Client) -> sluice.Model:
    return client.register_model(sluice.ModelSpec.uniform(**MODEL))


@pytest.fixture
def sequence(client: sluice.Client, kv_model: sluice.Model) -> sluice.KvSequence:
    return client.create_sequence(kv_model)
