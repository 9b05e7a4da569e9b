# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A client that is to be stopped in some state, and goes on later.

frozen_client.py ADDRESS STATE: gets into the state, says "ready", and waits for a line. Then it
says what the daemon told it, as "CODE REASON", does checked work, and says "done".
"""

# ruff: noqa: E402

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python"))

import example  # noqa: F401 - sets the number of BLAS threads before numpy is imported
import numpy as np
import oracle
import sluice
from client_process import run, say, start
from raw_steps import reading_of
from waiting import eventually
from wire import Stream, Wire

UNREAD_CALLS = 150
UNREAD_ROWS = 40  # answers of 40 KiB: together more than any window takes
CALLS_PER_SESSION = 64  # what the daemon reads at most


def wait_for_line() -> None:
    say("ready")
    sys.stdin.readline()


def told(call: Callable[[], object]) -> str:
    try:
        call()
    except sluice.SluiceError as error:
        return f"{error.code} {error.reason}"
    return "nothing"


def idle(client: sluice.Client) -> str:
    with client.session("idle") as session:
        one = start(client, session, 1)[0]
        one.step(session, 40)
        wait_for_line()
        return told(lambda: one.step(session, 1))


def mid_step(client: sluice.Client) -> str:
    with client.session("mid-step") as session:
        one = start(client, session, 2)[0]
        step = session.begin_step([sluice.StepEntry(one.sequence, token_count=40)])
        one.attend(step, 0, 40)
        wait_for_line()
        return told(lambda: one.attend(step, 1, 40))


def unread(client: sluice.Client) -> str:
    """Has sent more calls than a session may have, and read no answer."""
    stream = Stream(client._connection.stub())
    model = client.register_model(oracle.spec())
    sequence = client.create_sequence(model, lease_s=1)
    oracle.CheckedSequence(sequence, np.random.default_rng(3)).step(client, UNREAD_ROWS)
    request = reading_of(sequence.id, UNREAD_ROWS)
    for _ in range(UNREAD_CALLS):
        stream.send(attend=request)
    with Wire(client._connection.address) as wire:
        eventually(
            lambda: wire.status().totals.attended_row_count,
            lambda rows: rows >= CALLS_PER_SESSION * UNREAD_ROWS,
            "the daemon does not read all that it may",
        )
    wait_for_line()
    end = stream.end()
    return f"{end.code} {end.reason}"


STATES = {"idle": idle, "mid-step": mid_step, "unread": unread}


def main() -> None:
    address, state = sys.argv[1:]
    with sluice.Client(address) as client:
        say(STATES[state](client))
        with client.session("after") as session:
            for one in start(client, session, 4):
                one.step(session, 9)
    say("done")


if __name__ == "__main__":
    run(main)
