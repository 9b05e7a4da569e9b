# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
import pytest
from example.prompts import filler_text, passkey_prompt, text_prompt


@pytest.mark.parametrize("length", [45, 46, 300, 1200, 9000])
@pytest.mark.parametrize("depth", [0.0, 0.3, 1.0])
def test_a_passkey_prompt_has_the_length_asked_for(length: int, depth: float) -> None:
    prompt = passkey_prompt(length, depth)
    assert len(prompt.token_ids) == length
    text = bytes(prompt.token_ids)
    assert text.startswith(b"\x01")
    assert text.count(b"\nThe pass key abc=40713.\n") == 1
    assert text.endswith(b"\nThe pass key abc=")


def test_depth_moves_the_passkey() -> None:
    shallow, middle, deep = (
        bytes(passkey_prompt(1200, depth).token_ids).index(b"abc=40713") for depth in (0, 0.5, 1)
    )
    assert shallow < 20
    assert 450 < middle < 650
    assert deep > 1130


def test_seeds_give_other_texts_and_the_same_seed_the_same() -> None:
    assert filler_text(500, seed=1) == filler_text(500, seed=1)
    assert filler_text(500, seed=1) != filler_text(500, seed=2)


def test_a_text_prompt_of_one_token_is_the_first_token() -> None:
    assert text_prompt(1) == (1,)
    assert len(text_prompt(1500)) == 1500


@pytest.mark.parametrize(
    ("length", "depth", "field"), [(30, 0.5, "length"), (1200, -0.1, "depth"), (1200, 1.1, "depth")]
)
def test_impossible_prompts_are_refused(length: int, depth: float, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        passkey_prompt(length, depth)
