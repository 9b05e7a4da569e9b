# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The rows of a batch: which tokens of each are real, and whose sequence holds them.

A row's tokens stand in the batch's columns; where a shorter row was padded, its columns are not
real and nothing of them reaches the daemon. Rows that are equal so far share a sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.sequence import KvSequence
from sluice.step import Phase, StepEntry
from sluice.tensors import Array


@dataclass(frozen=True)
class Row:
    """`real [columns]`: where the row has a token. `sequence` None: it had none so far.

    A sequence longer than the row's tokens is one that was cropped: it is rolled back with the
    row's next step.
    """

    sequence: KvSequence | None
    real: Array

    @property
    def tokens(self) -> int:
        return int(self.real.sum())


@dataclass(frozen=True)
class Forward:
    """One forward pass of `columns` columns a row.

    rows: as they are once the pass is complete; leaders: by row the first one that is equal to it,
    before this pass and in it; new `[rows, columns]`: which columns are real.
    """

    rows: list[Row]
    leaders: list[int]
    new: Array

    @classmethod
    def of(cls, rows: Sequence[Row], leaders: list[int], new: Array) -> "Forward":
        """A pass that adds `new` to the rows."""
        grown = [
            replace(row, real=np.concatenate([row.real, new[index]]))
            for index, row in enumerate(rows)
        ]
        return cls(grown, leaders, new)

    def entries(self, draft_tokens: int) -> list[StepEntry]:
        """What the daemon is to be told of the pass: an entry for each leader with tokens."""
        columns = self.new.shape[1]
        made = []
        for index in self._senders():
            row = self.rows[index]
            assert row.sequence is not None, "a row with tokens has a sequence by now"
            added = int(self.new[index].sum())
            base = row.tokens - added
            reads_prompt = base == 0 or columns > 1 + draft_tokens
            entry = StepEntry(
                row.sequence,
                token_count=added,
                phase=Phase.PREFILL if reads_prompt else Phase.DECODE,
                base_length=base,
                rollback=base < row.sequence.length,
            )
            made.append(entry)
        return made

    def sent(self) -> Array:
        """Of the pass's tokens, counted row by row, those that are sent, in order."""
        columns = self.new.shape[1]
        found = [index * columns + np.flatnonzero(self.new[index]) for index in self._senders()]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def answered(self) -> tuple[Array, Array]:
        """For each real token of the pass, its place counted row by row, and the place of its
        answer among those that were sent."""
        first, places = 0, {}
        for index in self._senders():
            places[index] = first
            first += int(self.new[index].sum())
        columns = self.new.shape[1]
        tokens, answers = [], []
        for index, leader in enumerate(self.leaders):
            at = np.flatnonzero(self.new[index])
            tokens.append(index * columns + at)
            answers.append(places.get(leader, 0) + np.arange(len(at)))
        return np.concatenate(tokens), np.concatenate(answers)

    @property
    def is_dense(self) -> bool:
        """Whether every token of every row is sent."""
        return bool(self.new.all()) and len(set(self.leaders)) == len(self.leaders)

    def _senders(self) -> list[int]:
        leaders = dict.fromkeys(self.leaders)
        return [index for index in leaders if self.new[index].any()]


def cut(rows: Sequence[Row], columns: int) -> list[Row]:
    """The rows with no more than so many columns."""
    return [replace(row, real=row.real[:columns]) for row in rows]


def fit_padding(rows: Sequence[Row], padding: Array | None, added: int) -> tuple[list[Row], Array]:
    """Takes a mask over the old columns and `added` new ones: returns the rows, less what it takes
    off their ends, and what is new of it, `[rows, added]`.

    Raises ValueError for a mask of another shape, and for one that differs from what was sent in
    another way.
    """
    columns = len(rows[0].real)
    if padding is None:
        if not all(row.real.all() for row in rows):
            raise ValueError("attention_mask: None; the rows have padding, so it must be given")
        return list(rows), np.ones((len(rows), added), bool)
    if padding.shape != (len(rows), columns + added):
        expected = f"{len(rows)} rows of {columns} cached and {added} new tokens"
        raise ValueError(f"attention_mask: of shape {list(padding.shape)}; must have {expected}")
    fitted = []
    for index, row in enumerate(rows):
        old = padding[index, :columns]
        if not np.array_equal(old, row.real):
            kept = int(old.sum())
            if not np.array_equal(np.flatnonzero(old), np.flatnonzero(row.real)[:kept]):
                raise ValueError(
                    f"attention_mask: row {index} differs from the tokens that are cached by more "
                    "than a masked end"
                )
            row = replace(row, real=old.copy())
        fitted.append(row)
    return fitted, padding[:, columns:]


def find_leaders(rows: Sequence[Row], new: Array, contents: Array | None) -> list[int]:
    """By row the first one with the same past and the same tokens. `contents [rows, ..]`: what
    the forward pass was given of each; None: unknown, so that every row is its own."""
    if contents is None:
        return list(range(len(rows)))
    first: dict[tuple[int, bytes, bytes, bytes], int] = {}
    return [
        first.setdefault(
            (id(row.sequence), row.real.tobytes(), new[index].tobytes(), contents[index].tobytes()),
            index,
        )
        for index, row in enumerate(rows)
    ]
