# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Clients that make random calls until they are killed, each in a process of its own.

victims.py ADDRESS: forks a client for every line "SEED" that it reads. A client says its process id
once it has a session, and nothing after that.
"""

# ruff: noqa: E402

import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import grpc
import oracle
from raw_steps import append_of, attend_of, register
from sluice._generated import sequence_pb2, step_pb2
from wire import Wire

SMALL, LARGE = 40, 2500  # tokens; of a large append: 5 MiB
SEQUENCES = 4


# Made once, before the clients part.
APPENDS = {tokens: append_of(tokens) for tokens in (SMALL, LARGE)}
ATTEND = attend_of(SMALL)


class Victim:
    """Makes calls without caring what they are answered."""

    def __init__(self, wire: Wire, seed: int) -> None:
        self.random = random.Random(seed)
        self.wire = wire
        self.model = register(wire)
        self.stream = wire.stream()
        self.sequences = [self.create() for _ in range(SEQUENCES)]

    def create(self) -> int:
        """One that ends with the session, or now and then by its lease."""
        session = self.stream.session_id if self.random.random() < 0.8 else 0
        request = sequence_pb2.CreateSequenceRequest(model_id=self.model, session_id=session)
        return int(self.wire.call("CreateSequence", request).sequence_id)

    def length(self, sequence: int) -> int:
        request = sequence_pb2.GetSequenceRequest(sequence_id=sequence)
        return int(self.wire.call("GetSequence", request).length)

    def append(self, sequence: int) -> None:
        request = APPENDS[self.random.choice((SMALL, LARGE))]
        request.entry.sequence_id = sequence
        request.entry.base_length = self.length(sequence)
        self.send("Append", request)

    def step(self, sequence: int) -> None:
        """One that gets all of its layers, or stays open, or is undone."""
        entry = step_pb2.StepEntry(
            sequence_id=sequence,
            base_length=self.length(sequence),
            token_count=SMALL,
            phase=step_pb2.PHASE_DECODE,
        )
        begun = self.stream.call("begin_step", step_pb2.BeginStepRequest(entries=[entry]))
        ATTEND.step_id = begun.begin_step.step_id
        for layer in range(self.random.randrange(oracle.LAYERS + 1)):
            ATTEND.layer = layer
            self.send("Attend", ATTEND)
        if self.random.random() < 0.3:
            self.send("EndStep", step_pb2.EndStepRequest(step_id=ATTEND.step_id, abort=True))

    def send(self, name: str, request: Any) -> None:
        if self.random.random() < 0.5:
            self.wire.call(name, request)
        else:
            field = {"Append": "append", "Attend": "attend", "EndStep": "end_step"}[name]
            self.stream.call(field, request)

    def fork(self, sequence: int) -> None:
        request = sequence_pb2.ForkSequencesRequest(
            parents=[sequence], session_id=self.stream.session_id
        )
        self.sequences.append(self.wire.call("ForkSequences", request).sequence_ids[0])

    def replace(self, sequence: int) -> None:
        request = sequence_pb2.FreeSequencesRequest(sequence_ids=[sequence])
        self.wire.call("FreeSequences", request)
        self.sequences.remove(sequence)
        self.sequences.append(self.create())

    def go_on(self) -> None:
        calls: list[Callable[[int], None]] = [self.append, self.step, self.fork, self.replace]
        call = self.random.choices(calls, weights=(4, 4, 1, 1))[0]
        # The sequence may be in a step that stayed open, and the pool full.
        with suppress(grpc.RpcError):
            call(self.random.choice(self.sequences))


def live(address: str, seed: int) -> None:
    with Wire(address) as wire:
        victim = Victim(wire, seed)
        os.write(1, f"{os.getpid()}\n".encode())
        while True:
            victim.go_on()


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        if os.fork() == 0:
            live(sys.argv[1], int(line))


if __name__ == "__main__":
    main()
