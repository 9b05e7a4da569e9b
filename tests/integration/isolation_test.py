# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Two tenants: whatever one names of the other is answered like what never was."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from bad_input_ids import PLACES, SESSIONS
from bad_input_world import World, geometry
from raw_steps import append_of, register
from sluice._generated import admin_pb2, kv_cache_pb2, sequence_pb2
from tenants import TenantsDaemon
from wire import STREAM_CALLS, Refusal, Stream, Wire, refusal_of

POOL_BYTES = 64 << 20
TENANT_BYTES = 16 << 20
FILL = append_of(700)


@dataclass
class Tenant:
    """What one tenant has: models, sequences, open steps, and a session."""

    wire: Wire
    world: World
    stream: Stream

    def id_of(self, kind: str) -> int:
        world = self.world
        kinds = {"MODEL": world.model, "SEQUENCE": world.idle, "STEP": world.step}
        return {**kinds, "SESSION": self.stream.session_id}[kind]


@pytest.fixture(scope="module")
def daemon() -> Iterator[TenantsDaemon]:
    made = TenantsDaemon([f"--pool_bytes={POOL_BYTES}"], maximum_bytes=TENANT_BYTES)
    with made:
        yield made


@pytest.fixture(scope="module")
def tenants(daemon: TenantsDaemon) -> Iterator[tuple[Tenant, Tenant]]:
    with Wire(daemon.address) as first, Wire(daemon.second_address) as second:
        yield (
            Tenant(first, World(first), first.stream()),
            Tenant(second, World(second), second.stream()),
        )


def without_ids(found: Refusal) -> Refusal:
    return Refusal(found.code, found.reason, found.field, re.sub(r"\d+", "N", found.message))


Place = tuple[str, str, str, Callable[[World, int], Any]]
ALL: list[Place] = [
    *PLACES,
    *((method, "session_id", "SESSION", request) for method, request in SESSIONS),
]


@pytest.mark.parametrize("place", ALL, ids=lambda place: f"{place[0]}-{place[1]}")
def test_an_id_of_another_tenant_is_one_that_never_was(
    tenants: tuple[Tenant, Tenant], place: Place
) -> None:
    method, field, kind, request = place
    for own, other in (tenants, tenants[::-1]):
        before = [tenant.world.state() for tenant in tenants]
        foreign = request(own.world, other.id_of(kind))
        found = own.wire.refusal(method, foreign)
        expected = ("NOT_FOUND", f"UNKNOWN_{kind}", field)
        assert (found.code, found.reason, found.field) == expected
        never = own.wire.refusal(method, request(own.world, own.world.unknown))
        assert without_ids(found) == without_ids(never)
        if method in STREAM_CALLS:
            assert own.stream.refusal(STREAM_CALLS[method], foreign) == found
        assert [tenant.world.state() for tenant in tenants] == before


def test_lists_show_ones_own(tenants: tuple[Tenant, Tenant]) -> None:
    for own, other in (tenants, tenants[::-1]):
        for token in ("", str(other.world.idle), str(other.stream.session_id)):
            sequences = own.wire.call(
                "ListSequences", admin_pb2.ListSequencesRequest(page_token=token)
            )
            clients = own.wire.call("ListClients", admin_pb2.ListClientsRequest(page_token=token))
            shown = {one.sequence_id for one in sequences.sequences}
            assert shown <= {*own.world.sequences, *own.world.spare}
            assert token or len(shown) == len(own.world.sequences + own.world.spare)
            assert {one.session_id for one in clients.clients} <= {own.stream.session_id}
            names = {one.tenant for one in [*sequences.sequences, *clients.clients]}
            assert names <= {"first" if own is tenants[0] else "second"}


def test_names_and_request_ids_are_ones_own(tenants: tuple[Tenant, Tenant]) -> None:
    made: list[int] = []
    for tenant, pages in zip(tenants, (16, 64), strict=True):
        shape = geometry("same name")
        shape.page_size_tokens = pages
        model = tenant.wire.call(
            "RegisterModel", kv_cache_pb2.RegisterModelRequest(geometry=shape)
        ).model_id
        request = sequence_pb2.CreateSequenceRequest(
            model_id=model, request_id="same id", session_id=tenant.stream.session_id
        )
        twice = {tenant.wire.call("CreateSequence", request).sequence_id for _ in range(2)}
        assert len(twice) == 1
        made += twice
        tenant.wire.call("FreeSequences", sequence_pb2.FreeSequencesRequest(sequence_ids=twice))
    assert made[0] != made[1]


def test_admin_calls_that_change_something_are_refused(tenants: tuple[Tenant, Tenant]) -> None:
    for name, request in (
        ("Drain", admin_pb2.DrainRequest()),
        ("Reclaim", admin_pb2.ReclaimRequest()),
    ):
        assert tenants[0].wire.refusal(name, request).code == "PERMISSION_DENIED"


def fill(tenant: Tenant, sequences: int) -> None:
    """Appends a good megabyte to each of as many new sequences."""
    model = register(tenant.wire)
    for _ in range(sequences):
        create = sequence_pb2.CreateSequenceRequest(
            model_id=model, session_id=tenant.stream.session_id
        )
        FILL.entry.sequence_id = tenant.wire.call("CreateSequence", create).sequence_id
        tenant.wire.call("Append", FILL)


def test_one_that_is_at_its_quota_leaves_the_other_its_own(tenants: tuple[Tenant, Tenant]) -> None:
    greedy, modest = tenants
    with pytest.raises(grpc.RpcError) as caught:
        fill(greedy, 1 + TENANT_BYTES // len(FILL.SerializeToString()))
    found = refusal_of(caught.value)
    assert (found.code, found.reason) == ("RESOURCE_EXHAUSTED", "TENANT_QUOTA")
    free = dict(caught.value.trailing_metadata())["sluice-free-bytes"]
    assert int(free) < TENANT_BYTES  # its own, not what the pool has
    fill(modest, 4)
