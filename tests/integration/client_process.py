# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A client in a process of its own, for tests that run several or kill one.

client_process.py ADDRESS check SEED ROUNDS: steps with checked outputs, then "done".
client_process.py ADDRESS mid-step SEED: leaves a step open, says "ready" and waits.
client_process.py ADDRESS mid-call SEED: says "ready" while the daemon is at a long call.
"""

# ruff: noqa: E402

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import numpy as np
import oracle
import sluice
from raw_steps import attend
from sluice._generated import step_pb2
from wire import Stream

SEQUENCES = 3
LONG_TOKENS = 1500
LONG_CALLS = 8


def say(word: str) -> None:
    print(word, flush=True)


def start(
    client: sluice.Client, session: sluice.Session, seed: int
) -> list[oracle.CheckedSequence]:
    model = client.register_model(oracle.spec())
    generator = np.random.default_rng(seed)
    return [
        oracle.CheckedSequence(client.create_sequence(model, session=session), generator)
        for _ in range(SEQUENCES)
    ]


def check(client: sluice.Client, seed: int, rounds: int) -> None:
    with client.session(f"check-{seed}") as session:
        sequences = start(client, session, seed)
        say("ready")
        for step in range(rounds):
            for index, one in enumerate(sequences):
                one.step(session if index % 2 else client, 1 + (step * 7 + index) % 9)
    say("done")


def stay_mid_step(client: sluice.Client, seed: int) -> None:
    with client.session("mid-step") as session:
        sequences = start(client, session, seed)
        for one in sequences:
            one.step(session, 70)
        for one in sequences:
            open_step = session.begin_step([sluice.StepEntry(one.sequence, token_count=40)])
            one.attend(open_step, 0, 40)
        say("ready")
        sys.stdin.read()


def stay_mid_call(client: sluice.Client, seed: int) -> None:
    """Sends more long calls than finish before the one who waits for "ready" can act."""
    model = client.register_model(oracle.spec())
    stream = Stream(client._connection.stub())
    with client.session("owner") as session:
        made = [client.create_sequence(model, session=session) for _ in range(LONG_CALLS)]
        q, k, v = oracle.random_rows(LONG_TOKENS, np.random.default_rng(seed))
        attends = [attend(q, k, v, step=begin(stream, one.id)) for one in made]
        for request in attends:
            stream.send(attend=request)
        say("ready")
        sys.stdin.read()


def begin(stream: Stream, sequence: int) -> int:
    entry = step_pb2.StepEntry(
        sequence_id=sequence, token_count=LONG_TOKENS, phase=step_pb2.PHASE_PREFILL
    )
    answer = stream.call("begin_step", step_pb2.BeginStepRequest(entries=[entry]))
    return int(answer.begin_step.step_id)


def run(main: Callable[[], None]) -> None:
    """Ends the process with `main`, even where threads of a stream would keep it."""
    try:
        main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    address, mode, seed, *rest = sys.argv[1:]
    with sluice.Client(address) as client:
        if mode == "check":
            check(client, int(seed), int(rest[0]))
        elif mode == "mid-step":
            stay_mid_step(client, int(seed))
        else:
            stay_mid_call(client, int(seed))


if __name__ == "__main__":
    run(main)
