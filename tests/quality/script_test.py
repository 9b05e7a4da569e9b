# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What is scored, and how."""

import numpy as np
import pytest
from script import Script, cut, nats, right_share

# Tokens 5 6 | 7 8 | 9 4, of which 8 and 9 4 are foretold by 7, 8 and 9.
SCRIPT = Script((5, 6), ((7, 8), (9, 4)), (range(3, 4), range(4, 6)))


def logits_for(foretold: list[int], strength: float = 50.0) -> np.ndarray:
    """Rows after 7, 8, 9 and 4 that are sure of these tokens."""
    rows = np.zeros((4, 10), np.float32)
    rows[np.arange(4), foretold] = strength
    return rows


def test_all_tokens_are_in_order() -> None:
    assert SCRIPT.tokens() == [5, 6, 7, 8, 9, 4]
    assert SCRIPT.length == 6


def test_a_group_is_right_when_all_its_tokens_are() -> None:
    assert right_share(SCRIPT, logits_for([8, 9, 4, 0])) == 1.0
    assert right_share(SCRIPT, logits_for([8, 9, 3, 0])) == 0.5
    assert right_share(SCRIPT, logits_for([8, 1, 4, 0])) == 0.5
    assert right_share(SCRIPT, logits_for([1, 9, 3, 0])) == 0.0


def test_nats_are_those_of_the_scored_tokens() -> None:
    assert nats(SCRIPT, logits_for([8, 9, 4, 0])) == pytest.approx(0.0, abs=1e-6)
    assert nats(SCRIPT, np.zeros((4, 10), np.float32)) == pytest.approx(np.log(10))
    assert nats(SCRIPT, logits_for([8, 9, 3, 0])) == pytest.approx(50 / 3)


@pytest.mark.parametrize("scored", [range(2, 3), range(5, 7), range(4, 4), range(0, 6)])
def test_what_the_steps_do_not_foretell_is_refused(scored: range) -> None:
    with pytest.raises(ValueError, match="scored"):
        Script((5, 6), ((7, 8), (9, 4)), (scored,))


def test_cut_leaves_the_rest_at_the_end() -> None:
    assert cut([1, 2, 3, 4, 5], 2) == ((1, 2), (3, 4), (5,))
