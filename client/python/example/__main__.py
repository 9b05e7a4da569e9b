# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Runs the example: python -m example [--quick] (from client/python).

Starts sluiced, generates text from a passkey prompt under several policies, compares `full` with
attention in this process, prints a table, and stops the daemon. Exits with 1 when a promise of
the table is broken or the run fails.
"""

import argparse
import sys
import time

import sluice

from example import figures, report
from example.comparison import (
    GREEDY_TOKENS,
    PROMPT_TOKENS,
    Comparison,
    compare_full,
    runs_to_compare,
)
from example.daemon import Daemon, DaemonError
from example.daemon_attention import model_spec
from example.generate import generate
from example.in_process import InProcessAttention
from example.model import Model
from example.policies import CHUNK_TOKENS, PolicyRun, policies_for, run_policy
from example.progress import Progress, say
from example.prompts import PasskeyPrompt, passkey_prompt
from example.weights import load_weights

_QUICK_PROMPT_TOKENS = (1, 17, 300)
_QUICK_GREEDY_TOKENS = 64


def main() -> int:
    arguments = _parse()
    started = time.monotonic()
    say("loading the model and starting sluiced")
    model = Model(load_weights())
    try:
        prompt = _prompt(arguments, model.config.max_positions)
    except ValueError as error:
        say(f"arguments: {error}")
        return 2
    with Daemon() as daemon:
        try:
            with sluice.Client(daemon.address) as client:
                runs = _run_policies(model, client, prompt, arguments.new_tokens)
                comparisons = _compare(model, client, arguments.quick)
        except sluice.SluiceError as error:
            raise DaemonError(f"{error}\n{daemon.log_tail()}") from error
        say("stopping sluiced")
        exit_code = daemon.stop()
    rows = report.figures(comparisons, runs, exit_code)
    path = figures.write("run.json", rows)
    say(f"done in {time.monotonic() - started:.0f} s")
    print(f"\n{report.table(runs)}\n")
    print(f"full, {_summary(comparisons)}")
    print(f"figures: {path}", flush=True)
    broken = [row.name for row in rows if not row.ok]
    for name in broken:
        say(f"broken promise: {name}")
    return 1 if broken else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="example")
    parser.add_argument("--quick", action="store_true", help="compare fewer and shorter texts")
    parser.add_argument("--prompt-tokens", type=int, default=1200, help="of the passkey prompt")
    parser.add_argument("--new-tokens", type=int, default=96, help="generated under each policy")
    parser.add_argument("--depth", type=float, default=0.3, help="of the passkey: 0 start, 1 end")
    return parser.parse_args()


def _prompt(arguments: argparse.Namespace, max_positions: int) -> PasskeyPrompt:
    """Raises ValueError for what the model cannot read or generate."""
    most = max_positions - arguments.prompt_tokens
    if not 2 <= arguments.new_tokens <= most:
        raise ValueError(f"new-tokens: {arguments.new_tokens}; must lie in [2, {most}]")
    return passkey_prompt(arguments.prompt_tokens, arguments.depth)


def _run_policies(
    model: Model, client: sluice.Client, prompt: PasskeyPrompt, new_tokens: int
) -> list[PolicyRun]:
    kv_model = client.register_model(model_spec(model.config))
    attention = InProcessAttention(model.config)
    expected = []
    say(f"attending in this process over {len(prompt.token_ids)} tokens, for comparison")
    with Progress("tokens with attention in this process", new_tokens) as progress:
        for token in generate(model, attention, prompt.token_ids, new_tokens, CHUNK_TOKENS):
            expected.append(token)
            progress.advance()
    question = bytes(prompt.token_ids).rsplit(b"\n", 1)[-1].decode("ascii")
    print(f"{len(prompt.token_ids)} tokens of text, at their end: {question}")
    return [
        run_policy(model, client, kv_model, policy, prompt, expected)
        for policy in policies_for(len(prompt.token_ids))
    ]


def _compare(model: Model, client: sluice.Client, quick: bool) -> list[Comparison]:
    lengths = _QUICK_PROMPT_TOKENS if quick else PROMPT_TOKENS
    greedy_tokens = _QUICK_GREEDY_TOKENS if quick else GREEDY_TOKENS
    kv_model = client.register_model(model_spec(model.config))
    total = runs_to_compare(lengths) * greedy_tokens
    say("comparing full with attention in this process, token by token")
    with Progress("greedy tokens compared", total) as progress:
        found = list(
            compare_full(model, client, kv_model, lengths, greedy_tokens, progress.advance)
        )
    for comparison in found:
        if not comparison.ok:
            say(f"not equal: {comparison}")
    return found


def _summary(comparisons: list[Comparison]) -> str:
    equal = sum(one.equal for one in comparisons)
    compared = sum(one.compared for one in comparisons)
    lengths = sorted({one.prompt_tokens for one in comparisons})
    return (
        f"prompts of {', '.join(map(str, lengths))} tokens, chunked or not: "
        f"{equal} of {compared} greedy tokens equal to in-process attention"
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DaemonError as failure:
        say(str(failure))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
