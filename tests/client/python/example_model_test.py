# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The numpy model against logits and greedy bytes recorded with an independent implementation."""

import json
from typing import Any

import numpy as np
import pytest
from example.generate import generate, prefill
from example.in_process import InProcessAttention
from example.model import Model
from example.prompts import passkey_prompt
from example.weights import MODEL_DIR

CASES: list[dict[str, Any]] = json.loads((MODEL_DIR / "check.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_logits_agree_with_the_recorded_ones(model: Model, case: dict[str, Any]) -> None:
    logits = prefill(model, InProcessAttention(model.config), case["prompt"])
    highest = np.argsort(-logits)[: len(case["top_ids"])]
    assert highest.tolist() == case["top_ids"]
    np.testing.assert_allclose(logits[highest], case["top_logits"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("chunk_tokens", [None, 1, 64, 100])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_greedy_bytes_equal_the_recorded_ones(
    model: Model, case: dict[str, Any], chunk_tokens: int | None
) -> None:
    attention = InProcessAttention(model.config)
    greedy = case["greedy"]
    found = list(generate(model, attention, case["prompt"], len(greedy), chunk_tokens))
    assert found == greedy
    assert attention.length == len(case["prompt"]) + len(greedy) - 1


@pytest.mark.parametrize("depth", [0.1, 0.5, 0.9])
def test_the_passkey_is_found_without_compression(model: Model, depth: float) -> None:
    prompt = passkey_prompt(1200, depth)
    attention = InProcessAttention(model.config)
    found = bytes(generate(model, attention, prompt.token_ids, 6, chunk_tokens=256))
    assert found == prompt.answer + b"."


def test_every_token_is_foretold_as_in_steps_of_one(model: Model) -> None:
    prompt = passkey_prompt(200).token_ids
    at_once, one_by_one = (InProcessAttention(model.config) for _ in range(2))
    prefill(model, at_once, prompt[:150])
    prefill(model, one_by_one, prompt[:150])
    expected = [model.step([token], one_by_one) for token in prompt[150:]]
    found = model.foretell(prompt[150:], at_once)
    np.testing.assert_allclose(found, np.stack(expected), rtol=0, atol=1e-3)


def test_a_step_beyond_the_last_position_is_refused(model: Model) -> None:
    attention = InProcessAttention(model.config)
    with pytest.raises(ValueError, match="2049 tokens from position 0"):
        model.step([1] * 2049, attention)
    assert attention.length == 0


def test_an_empty_prompt_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="prompt"):
        prefill(model, InProcessAttention(model.config), [])
