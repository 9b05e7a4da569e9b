# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The texts are in the model's formats, of the asked length, and the same for a seed."""

import re

import pytest
import texts
from script import Script
from tasks import FULL_SIZES, PASSKEY_DEPTHS, SMOKE_SIZES, Sizes, tasks_of


def scored_text(script: Script) -> list[bytes]:
    tokens = bytes(script.tokens())
    return [tokens[group.start : group.stop] for group in script.scored]


@pytest.mark.parametrize("sizes", [FULL_SIZES, SMOKE_SIZES], ids=["full", "smoke"])
def test_every_task_makes_other_text_for_every_seed_but_always_the_same(sizes: Sizes) -> None:
    for task in tasks_of(sizes):
        made = [task.script(seed) for seed in range(4)]
        assert made == [task.script(seed) for seed in range(4)]
        assert len({tuple(script.tokens()) for script in made}) == 4
        for script in made:
            assert script.prompt[0] == 1
            assert script.length <= 2048


@pytest.mark.parametrize("query_aware", [True, False])
@pytest.mark.parametrize("depth", PASSKEY_DEPTHS)
def test_the_passkey_is_hidden_at_its_depth_and_asked_for(depth: float, query_aware: bool) -> None:
    script = texts.passkey(3, 1024, depth, query_aware=query_aware)
    text = bytes(script.tokens())
    hidden = re.search(rb"\nThe pass key ([a-z]{3})=([0-9]{5}|[A-Z]{5})\.\n", text)
    assert hidden is not None
    assert abs(hidden.start() / 1024 - depth) < 0.1
    question = b"\nThe pass key " + hidden[1] + b"="
    assert text.endswith(question + hidden[2])
    assert scored_text(script) == [hidden[2]]
    asked = bytes(script.steps[0])
    assert asked == (b"=" if query_aware else question) + hidden[2]


def test_both_kinds_of_passkey_read_the_same_text() -> None:
    aware = texts.passkey(1, 512, 0.5, query_aware=True)
    assert aware.tokens() == texts.passkey(1, 512, 0.5, query_aware=False).tokens()


def test_recall_asks_for_different_hidden_values() -> None:
    script = texts.recall(5, 1024, 8, 4)
    assert len(script.prompt) == 1024
    prompt = bytes(script.prompt)
    pairs = dict(re.findall(rb"\[([a-z]{2})=([0-9]{4}|[A-Z]{4})\]", prompt))
    assert len(pairs) == 8
    asked = [re.fullmatch(rb"\[([a-z]{2})=(.{4})\]", bytes(step)) for step in script.steps]
    keys = [match[1] for match in asked if match is not None]
    assert len(set(keys)) == 4
    assert scored_text(script) == [pairs[key] for key in keys]


def test_recall_spreads_what_it_hides() -> None:
    prompt = bytes(texts.recall(5, 1024, 8, 4).prompt)
    places = [match.start() for match in re.finditer(rb"\[[a-z]{2}=", prompt)]
    for number, place in enumerate(places):
        assert number * 128 - 16 <= place <= (number + 1) * 128 + 16


@pytest.mark.parametrize(("prompt_tokens", "asked"), [(40, 4), (1024, 9)])
def test_recall_refuses_what_does_not_fit(prompt_tokens: int, asked: int) -> None:
    with pytest.raises(ValueError, match=r"prompt_tokens|asked"):
        texts.recall(0, prompt_tokens, 8, asked)


def test_a_continuation_repeats_a_passage_and_goes_on_with_new_text() -> None:
    script = texts.continued_text(2, 512, 128)
    (step,) = script.steps
    assert len(step) == 128
    assert bytes(step[:64]) in bytes(script.prompt)
    assert bytes(step[64:]) not in bytes(script.prompt)
    assert script.scored == (range(513, 640),)


def test_a_passage_longer_than_the_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="continuation_tokens"):
        texts.continued_text(0, 100, 200)


def test_a_stream_comes_in_steps_after_its_first_token() -> None:
    script = texts.streamed_text(2, 384, 32, 64)
    assert script.prompt == (1,)
    assert [len(step) for step in script.steps] == [32] * 11 + [31]
    assert script.scored == (range(64, 384),)
