# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Which cells a run has, and what tells them apart."""

import json
from typing import Any

import pytest
import sluice
from cells import cells_of, groups_of, record_from_json, record_to_json
from made_cells import MODEL_HASH, cell, line, record, task
from policies import LINES, PolicyLine, described, lines_for
from tasks import SMOKE_SIZES, tasks_of

TRIGGERS = sluice.Triggers(prefill_end=True)


def test_every_policy_meets_every_budget_and_task_seed_by_seed() -> None:
    tasks = tasks_of(SMOKE_SIZES)
    found = cells_of([line("full"), line("l2norm")], [0.1, 1.0], tasks, 2)
    assert len(found) == 2 * len(tasks) * (1 + 2)
    assert [one.seed for one in found] == sorted(one.seed for one in found)
    assert {one.budget for one in found if one.line.name == "full"} == {1.0}


def test_keys_of_all_cells_differ() -> None:
    found = cells_of(LINES, [0.01, 0.1, 0.5, 1.0], tasks_of(SMOKE_SIZES), 3)
    assert len({one.key(MODEL_HASH) for one in found}) == len(found)


def test_a_record_survives_the_file() -> None:
    for one in (cell("full", 1.0), cell("sink_window", 0.1)):
        made = record(one, 0.5, in_process_value=0.5)
        assert record_from_json(json.loads(json.dumps(record_to_json(made)))) == made


def kept_tokens(given: dict[str, Any]) -> int:
    """Of a sequence that is long enough, at most."""
    counted = ("budget_tokens", "sink_tokens", "recent_tokens", "heavy_tokens", "cascade_tokens")
    return sum(given.get(name, 0) for name in counted)


@pytest.mark.parametrize("name", [one.name for one in LINES if one.sized])
def test_a_budget_is_all_that_is_kept(name: str) -> None:
    for tokens in (10, 15, 32, 255, 256, 1029, 1536):
        assert kept_tokens(line(name).parameters(tokens)) == tokens, tokens


@pytest.mark.parametrize("name", [one.name for one in LINES if one.sized])
def test_the_smallest_budget_is_as_much_as_the_daemon_takes(name: str) -> None:
    given = line(name).parameters(1)
    least = {"streaming_llm": 2, "cascade_4": 4, "cascade_8": 8, "h2o": 2}
    least |= dict.fromkeys(("snapkv", "pyramidkv", "adakv", "dynamickv"), 2)
    assert kept_tokens(given) == least.get(name, 1)
    assert given.get("window_tokens", 0) < kept_tokens(given)


def test_windows_are_the_same_for_all_and_at_most_half_of_the_budget() -> None:
    for name in ("snapkv", "pyramidkv", "adakv", "dynamickv"):
        parameters = line(name).parameters
        windows = {tokens: parameters(tokens)["window_tokens"] for tokens in (2, 10, 64, 500)}
        assert windows == {2: 1, 10: 5, 64: 32, 500: 32}


def test_rings_are_of_one_size_whatever_the_budget() -> None:
    for cascades in (1, 4, 8):
        for tokens in (1, 10, 15, 100, 1029):
            given = line(f"cascade_{cascades}").parameters(tokens)
            assert given["cascades"] == cascades
            assert given["cascade_tokens"] % cascades == 0 < given["cascade_tokens"]


def test_a_budget_is_a_share_of_what_the_policy_acts_on() -> None:
    at_end, streamed = task("passkey_aware"), task("stream")
    assert at_end.budget_tokens(0.5, at_end.script(0)) == 256  # of 511
    assert streamed.budget_tokens(0.5, streamed.script(0)) == 192  # of 384
    assert at_end.budget_tokens(0.0001, at_end.script(0)) == 1


def test_the_whole_budget_has_room_for_every_token_that_comes() -> None:
    for one in tasks_of(SMOKE_SIZES):
        script = one.script(0)
        assert one.budget_tokens(1.0, script) == len(script.tokens())


def test_policies_act_at_the_prompts_end_or_all_the_while() -> None:
    assert task("recall").triggers() == sluice.Triggers(prefill_end=True)
    streamed = task("stream").triggers()
    assert (streamed.prefill_end, streamed.every_tokens) == (False, SMOKE_SIZES.stream_step)


def resolved(preset: str, window_tokens: int = 0) -> sluice.ResolvedPolicy:
    return sluice.ResolvedPolicy(
        policy=sluice.Policy(preset),
        observation_window_tokens=window_tokens,
        every_query_row=False,
        joint_key_value_query=False,
        rope_table=False,
        allows_rollback=True,
        adopts_prefixes=True,
    )


def test_a_preset_without_a_line_gets_one_with_budget_tokens() -> None:
    found = lines_for([resolved(name) for name in ("full", "another", "l2norm")])
    assert [one.preset for one in found] == ["full", "l2norm", "l2norm", "l2norm", "another"]
    policy = found[-1].policy(17, TRIGGERS)
    assert policy == sluice.Policy("another", budget_tokens=17, triggers=TRIGGERS)


def test_a_preset_without_a_line_that_observes_gets_the_window_of_all() -> None:
    (found,) = lines_for([resolved("another", window_tokens=8)])
    assert found.parameters(500) == line("snapkv").parameters(500)


def test_neighbours_of_one_text_go_together() -> None:
    tasks = [task("recall"), task("stream")]
    cells = cells_of([line("full"), line("l2norm")], [0.1, 0.5, 1.0], tasks, 2)
    groups = list(groups_of(cells, 3))
    assert [one for group in groups for one in group] == cells
    assert [len(group) for group in groups] == [3, 1] * 4
    assert all(len({(one.task.key, one.seed) for one in group}) == 1 for group in groups)


def test_a_policy_is_described_by_all_that_is_set() -> None:
    named = PolicyLine("x", "l2norm", lambda tokens: {"budget_tokens": tokens})
    described_texts = {described(named.policy(tokens, TRIGGERS)) for tokens in (5, 6)}
    assert len(described_texts) == 2
    assert described(sluice.Policy("full")) == "full()"
    assert "budget_tokens=5" in described(named.policy(5, TRIGGERS))
    assert "prefill_end=True" in described(named.policy(5, TRIGGERS))
