# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Every bad request is refused with the right status, names its field and changes nothing."""

from collections.abc import Iterator

import bad_input_ids
import bad_input_models
import bad_input_policies
import bad_input_sequences
import bad_input_steps
import bad_input_tensors
import pytest
from bad_input_world import Case, World
from example.daemon import Daemon
from example.figures import Figure, write
from wire import STREAM_CALLS, Refusal, Stream, Wire

TABLES = [
    bad_input_ids,
    bad_input_models,
    bad_input_policies,
    bad_input_sequences,
    bad_input_steps,
    bad_input_tensors,
]
CASES = [case for table in TABLES for case in table.CASES]
STREAM_CASES = [case for case in CASES if case.method in STREAM_CALLS]
GOAL = 60


@pytest.fixture(scope="module")
def shared_wire(limited_daemon: Daemon) -> Iterator[Wire]:
    with Wire(limited_daemon.address) as wire:
        yield wire


@pytest.fixture(scope="module")
def stream(shared_wire: Wire) -> Iterator[Stream]:
    stream = shared_wire.stream()
    yield stream
    stream.finish()


@pytest.fixture(scope="module")
def world(shared_wire: Wire, stream: Stream) -> World:
    return World(shared_wire)


@pytest.fixture(scope="module")
def passed() -> Iterator[set[Case]]:
    """The cases that passed; their number is reported in the end."""
    cases: set[Case] = set()
    yield cases
    report(len(cases))


def report(count: int) -> None:
    print(f"\nbad_input_cases {count}")
    ok = count >= GOAL and count == len(CASES)
    write("bad_input.json", [Figure("bad_input_cases", count, "cases", goal=GOAL, ok=ok)])


def check(case: Case, found: Refusal) -> None:
    assert (found.code, found.reason, found.field) == (case.code, case.reason, case.field), found
    assert case.field in found.message
    assert found.message


def name_of(case: Case) -> str:
    return f"{case.method}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_unary(case: Case, world: World, passed: set[Case]) -> None:
    before, reading = world.state(), world.reading()
    check(case, world.wire.refusal(case.method, case.request(world)))
    assert world.state() == before
    assert world.reading() == reading
    passed.add(case)


@pytest.mark.parametrize("case", STREAM_CASES, ids=name_of)
def test_on_a_session(case: Case, world: World, stream: Stream) -> None:
    before, reading = world.state(), world.reading()
    found = stream.refusal(STREAM_CALLS[case.method], case.request(world))
    check(case, found)
    assert found == world.wire.refusal(case.method, case.request(world))
    assert world.state() == before
    assert world.reading() == reading


def test_every_case_is_another() -> None:
    assert len({name_of(case) for case in CASES}) == len(CASES) >= GOAL


def test_what_was_refused_can_still_be_done(world: World, stream: Stream) -> None:
    rest = world.attend(first_token=2)
    assert not stream.call("attend", rest).attend.step_closed
    assert world.wire.call("Attend", world.attend(layer=2, first_token=0, rows=3)) is not None
    done = world.attend(layer=1, first_token=0, rows=3, k=None, v=None)
    assert stream.call("attend", done).attend.step_closed
