# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A sequence: one token stream of a model, whose keys and values the daemon keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from sluice import errors
from sluice._generated import sequence_pb2
from sluice.model_spec import ModelSpec
from sluice.policy import Policy, ResolvedPolicy, policy_to_wire
from sluice.results import CompressResult, Explanation, SequenceInfo

if TYPE_CHECKING:
    from sluice.connection import Connection


@dataclass(frozen=True)
class Model:
    """A registered model. `block_bytes`: one block over all layers and kv heads."""

    id: int
    spec: ModelSpec
    fingerprint: str
    block_bytes: int


class KvSequence:
    """A sequence of the daemon. Freed by `free`, by its session's end, or as a context manager.

    `length` is what this client knows of it, from the steps that it ran; `get` asks the daemon.
    Not thread-safe. Calls raise SluiceError.
    """

    def __init__(
        self, connection: "Connection", model: Model, sequence_id: int, length: int
    ) -> None:
        self.id = sequence_id
        self.model = model
        self.length = length
        self.rollback_floor = 0
        self.policy: ResolvedPolicy | None = None  # as last resolved by this client
        self._connection = connection

    def get(self) -> SequenceInfo:
        """What the sequence holds; brings `length` up to date."""
        request = sequence_pb2.GetSequenceRequest(sequence_id=self.id)
        info = SequenceInfo.from_wire(self._connection.call("GetSequence", request))
        self.length = info.length
        self.rollback_floor = info.rollback_floor
        return info

    def set_policy(self, policy: Policy, *, max_wait_s: float = 0) -> ResolvedPolicy:
        """Replaces the policy, from the next trigger on; `max_wait_s`: for an open step."""
        request = sequence_pb2.SetPolicyRequest(sequence_id=self.id, policy=policy_to_wire(policy))
        request.max_wait.FromNanoseconds(round(max_wait_s * 1e9))
        timeout_s = self._connection.timeout_s + max_wait_s
        answer = self._connection.call("SetPolicy", request, timeout_s)
        self.policy = ResolvedPolicy.from_wire(answer.policy)
        return self.policy

    def compress(
        self,
        *,
        policy: Policy | None = None,
        budget_tokens: int | None = None,
        dry_run: bool = False,
        max_wait_s: float = 0,
    ) -> CompressResult:
        """Runs the sequence's policy, or once another one or another budget, now; with
        `dry_run` only reports what would be kept and freed."""
        request = sequence_pb2.CompressRequest(
            sequence_id=self.id,
            policy=policy_to_wire(policy),
            budget_tokens=budget_tokens,
            dry_run=dry_run,
        )
        request.max_wait.FromNanoseconds(round(max_wait_s * 1e9))
        timeout_s = self._connection.timeout_s + max_wait_s
        return CompressResult.from_wire(self._connection.call("Compress", request, timeout_s))

    def explain(self, layer: int, kv_head: int) -> Explanation:
        """Which positions one head cache keeps, and with what scores."""
        request = sequence_pb2.ExplainSequenceRequest(
            sequence_id=self.id, layer=layer, kv_head=kv_head
        )
        return Explanation.from_wire(self._connection.call("ExplainSequence", request))

    def free(self) -> None:
        """Gives the sequence up; effective at once, or when its open step ends."""
        free_sequences(self._connection, [self])

    def __enter__(self) -> "KvSequence":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.free()
        except errors.NotFound:
            pass  # freed already, or ended with its session
        except errors.SluiceError:
            if error is None:
                raise

    def note_begun(self, length: int, rollback_floor: int) -> None:
        """For Step: the length after a rollback that came with it."""
        self.length = length
        self.rollback_floor = rollback_floor

    def note_added(self, tokens: int) -> None:
        """For Step: a step that added tokens has closed."""
        self.length += tokens


def free_sequences(connection: "Connection", sequences: Sequence[KvSequence]) -> None:
    ids = [sequence.id for sequence in sequences]
    connection.call("FreeSequences", sequence_pb2.FreeSequencesRequest(sequence_ids=ids))
