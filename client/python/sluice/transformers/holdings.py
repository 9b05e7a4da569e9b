# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The sequences that a cache holds, and how rows that part get their own."""

from collections.abc import Sequence
from dataclasses import replace

from sluice.client import Client
from sluice.policy import Policy, ResolvedPolicy
from sluice.sequence import KvSequence, Model
from sluice.session import Session
from sluice.tensors import Array
from sluice.transformers.rows import Row


class Holdings:
    """Sequences of one session, which ends with the cache and takes them along.

    Every method raises SluiceError.
    """

    def __init__(
        self, client: Client, model: Model, policy: Policy, draft_tokens: int, max_wait_s: float
    ) -> None:
        """Opens the session and makes a first sequence, so that the policy is checked."""
        self.model = model
        self.session: Session = client.session("transformers")
        self.draft_tokens = draft_tokens
        self.max_wait_s = max_wait_s
        self._client = client
        self._wanted = policy
        self._held: list[KvSequence] = []
        try:
            self._spare: KvSequence | None = self._create()
        except BaseException:
            self.session.close()
            raise

    @property
    def policy(self) -> ResolvedPolicy:
        return self._resolved

    def copy(self, rows: Sequence[Row]) -> tuple["Holdings", list[Row]]:
        """Forks of the rows' sequences in a session of their own, and the rows with them."""
        copied = Holdings(
            self._client, self.model, self._wanted, self.draft_tokens, self.max_wait_s
        )
        parents = {row.sequence.id: row.sequence for row in rows if row.sequence is not None}
        forks = dict(zip(parents, copied.fork(list(parents.values())), strict=True))
        return copied, [
            row if row.sequence is None else replace(row, sequence=forks[row.sequence.id])
            for row in rows
        ]

    def part(
        self, rows: Sequence[Row], new: Array, leaders: Sequence[int]
    ) -> dict[int, KvSequence | None]:
        """The sequence of each leader in a pass with the tokens `new [rows, columns]`: its own, a
        fork where another leader has that one, a new one, or None while it has no token. What no
        row has any more is freed."""
        owners: dict[int, KvSequence | None] = {}
        taken: set[int] = set()
        forking: dict[int, KvSequence] = {}
        for index in dict.fromkeys(leaders):
            sequence = rows[index].sequence
            if sequence is None:
                owners[index] = self._take() if new[index].any() else None
            elif sequence.id in taken:
                forking[index] = sequence
            else:
                taken.add(sequence.id)
                owners[index] = sequence
        owners.update(zip(forking, self.fork(list(forking.values())), strict=True))
        self.keep_only([owner for owner in owners.values() if owner is not None])
        return owners

    def fork(self, parents: Sequence[KvSequence]) -> list[KvSequence]:
        if not parents:
            return []
        forks = self._client.fork(parents, session=self.session, max_wait_s=self.max_wait_s)
        self._held += forks
        return forks

    def keep_only(self, used: Sequence[KvSequence]) -> None:
        """Frees all other sequences."""
        ids = {sequence.id for sequence in used}
        unused = [sequence for sequence in self._held if sequence.id not in ids]
        if unused:
            self._client.free(unused)
            self._held = [sequence for sequence in self._held if sequence.id in ids]

    def _take(self) -> KvSequence:
        taken, self._spare = self._spare or self._create(), None
        self._held.append(taken)
        return taken

    def _create(self) -> KvSequence:
        made = self._client.create_sequence(
            self.model,
            policy=self._wanted,
            session=self.session,
            draft_tokens=self.draft_tokens,
        )
        assert made.policy is not None, "create_sequence resolves the policy"
        self._resolved = made.policy
        return made
