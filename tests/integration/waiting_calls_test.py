# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Steps that wait for memory, and what ends their wait when nothing else happens."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from bad_input_world import geometry
from example.daemon import Daemon
from google.protobuf.duration_pb2 import Duration
from sluice._generated import kv_cache_pb2, sequence_pb2, step_pb2
from waiting import eventually
from wire import Wire

LONG_TIMEOUT_S = 120
MAX_WAIT = Duration(seconds=100)
MANY_TOKENS = 1 << 20


class FullPool:
    """A pool with one free block, and three empty sequences that want some."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        request = kv_cache_pb2.RegisterModelRequest(geometry=geometry("waiting"))
        self.model = wire.call("RegisterModel", request)
        self.filling, self.waiting, self.small = [self._create() for _ in range(3)]
        self.page_tokens = geometry().page_size_tokens
        with pytest.raises(grpc.RpcError) as refused:
            wire.call("BeginStep", self.step(self.filling, MANY_TOKENS))
        found = {one.key: one.value for one in refused.value.trailing_metadata()}
        blocks = int(found["sluice-free-bytes"]) // int(found["sluice-block-bytes"])
        fill = self.step(self.filling, (blocks - 1) * self.page_tokens)
        self.open_step = wire.call("BeginStep", fill).step_id

    def _create(self) -> int:
        request = sequence_pb2.CreateSequenceRequest(model_id=self.model.model_id)
        return int(self.wire.call("CreateSequence", request).sequence_id)

    def step(self, sequence: int, tokens: int, **more: Any) -> step_pb2.BeginStepRequest:
        entry = step_pb2.StepEntry(
            sequence_id=sequence, token_count=tokens, phase=step_pb2.PHASE_PREFILL
        )
        return step_pb2.BeginStepRequest(entries=[entry], **more)

    def wait_for_two_blocks(self, timeout_s: float) -> Any:
        """A call that waits, and that others of the tenant do not overtake."""
        request = self.step(self.waiting, 2 * self.page_tokens, max_wait=MAX_WAIT)
        call = self.wire.kv_cache.BeginStep.future(request, timeout=timeout_s)
        eventually(self.small_step_finds_room, lambda found: not found, "nobody waits")
        return call

    def small_step_finds_room(self) -> bool:
        try:
            step = self.wire.call("BeginStep", self.step(self.small, 1))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "an earlier step of the tenant waits" in (error.details() or "")
            return False
        self.abort(step.step_id)
        return True

    def abort(self, step: int) -> None:
        self.wire.call("EndStep", step_pb2.EndStepRequest(step_id=step, abort=True))

    def free(self) -> None:
        self.abort(self.open_step)
        ids = [self.filling, self.waiting, self.small]
        self.wire.call("FreeSequences", sequence_pb2.FreeSequencesRequest(sequence_ids=ids))
        eventually(
            lambda: self.wire.status().pool,
            lambda pool: pool.in_use_bytes == pool.retired_bytes == 0,
            "the pool is not empty",
        )


@pytest.fixture
def pool(wire: Wire) -> Iterator[FullPool]:
    pool = FullPool(wire)
    yield pool
    pool.free()


def test_a_cancelled_call_waits_no_more(pool: FullPool) -> None:
    call = pool.wait_for_two_blocks(LONG_TIMEOUT_S)
    assert not call.done()
    assert call.cancel()
    eventually(pool.small_step_finds_room, bool, "the cancelled call still waits")
    assert pool.wire.status().open_step_count == 1


def test_a_call_waits_no_longer_than_its_deadline(pool: FullPool) -> None:
    call = pool.wait_for_two_blocks(timeout_s=3)
    assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(pool.small_step_finds_room, bool, "the late call still waits")
    assert pool.wire.status().open_step_count == 1


def test_a_call_waits_no_longer_than_its_client_is_there(pool: FullPool, daemon: Daemon) -> None:
    own = pool.wire
    with Wire(daemon.address) as pool.wire:
        pool.wait_for_two_blocks(LONG_TIMEOUT_S)
    pool.wire = own
    eventually(pool.small_step_finds_room, bool, "the call of a client that is gone still waits")
