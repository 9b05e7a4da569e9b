# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The client: one daemon's calls with plain values and numpy arrays."""

import uuid
from collections.abc import Sequence
from types import TracebackType

from sluice._generated import admin_pb2, kv_cache_pb2, sequence_pb2
from sluice.connection import Connection
from sluice.model_spec import ModelSpec
from sluice.policy import Policy, ResolvedPolicy, policy_to_wire
from sluice.results import Capabilities, Explanation, SequenceInfo
from sluice.sequence import KvSequence, Model, free_sequences
from sluice.session import Session
from sluice.step_calls import StepCalls

DEFAULT_TIMEOUT_S = 60.0


class Client(StepCalls):
    """A connection to sluiced; thread-safe.

    Every call has a deadline and raises SluiceError when it fails. After the daemon went away
    calls raise Unavailable, and the next one connects anew; ids of the daemon's earlier life then
    raise DaemonRestarted.
    """

    def __init__(self, address: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """`address`: `unix:/path/of.sock` or `127.0.0.1:port`. Nothing is sent yet. Raises
        ValueError for what is neither."""
        self._connection = Connection(address, timeout_s)
        super().__init__(self._connection, timeout_s)

    def capabilities(self) -> Capabilities:
        request = kv_cache_pb2.GetCapabilitiesRequest()
        return Capabilities.from_wire(self._connection.call("GetCapabilities", request))

    def register_model(self, spec: ModelSpec, *, expected_fingerprint: str = "") -> Model:
        """Makes a model known, or attaches to one that is. Raises also ValueError for a dtype
        that the wire does not have."""
        request = kv_cache_pb2.RegisterModelRequest(
            geometry=spec.to_wire(), expected_fingerprint=expected_fingerprint
        )
        answer = self._connection.call("RegisterModel", request)
        return Model(answer.model_id, spec, answer.fingerprint, answer.block_bytes)

    def session(self, name: str = "python") -> Session:
        """Opens a session stream; `name` stands in the daemon's lists and logs."""
        return Session(self._connection, name)

    def create_sequence(
        self,
        model: Model,
        *,
        policy: Policy | None = None,
        session: Session | None = None,
        token_ids: Sequence[int] = (),
        draft_tokens: int = 0,
        priority: int = 0,
        lease_s: float | None = None,
        accept_partial_scores: bool = False,
    ) -> KvSequence:
        """Makes a sequence that ends with the session, or without one by its lease.

        `token_ids`: a prompt whose longest known prefix is adopted; the sequence's `length` says
        how much of it. `policy` None: `full`.
        """
        request = sequence_pb2.CreateSequenceRequest(
            model_id=model.id,
            policy=policy_to_wire(policy),
            token_ids=token_ids,
            draft_tokens=draft_tokens,
            priority=priority,
            session_id=0 if session is None else session.id,
            request_id=str(uuid.uuid4()),
            accept_partial_scores=accept_partial_scores,
        )
        if lease_s is not None:
            request.lease.FromNanoseconds(round(lease_s * 1e9))
        answer = self._connection.call("CreateSequence", request)
        made = KvSequence(self._connection, model, answer.sequence_id, answer.matched_length)
        made.policy = ResolvedPolicy.from_wire(answer.policy)
        return made

    def fork(
        self,
        parents: Sequence[KvSequence],
        *,
        session: Session | None = None,
        max_wait_s: float = 0,
    ) -> list[KvSequence]:
        """Copies of the parents, in order, that share every block with them; all or none."""
        request = sequence_pb2.ForkSequencesRequest(
            parents=[parent.id for parent in parents],
            session_id=0 if session is None else session.id,
            request_id=str(uuid.uuid4()),
        )
        request.max_wait.FromNanoseconds(round(max_wait_s * 1e9))
        answer = self._connection.call("ForkSequences", request, self._timeout_s + max_wait_s)
        forks = []
        for parent, sequence_id in zip(parents, answer.sequence_ids, strict=True):
            fork = KvSequence(self._connection, parent.model, sequence_id, parent.length)
            fork.rollback_floor = parent.rollback_floor
            fork.policy = parent.policy
            forks.append(fork)
        return forks

    def free(self, sequences: Sequence[KvSequence]) -> None:
        """Gives sequences up; all or none."""
        free_sequences(self._connection, sequences)

    def match_prefix(
        self, model: Model, token_ids: Sequence[int], *, policy: Policy | None = None
    ) -> int:
        """How many tokens of the prompt a new sequence would adopt now."""
        request = sequence_pb2.MatchPrefixRequest(
            model_id=model.id,
            token_ids=token_ids,
            policy=policy_to_wire(policy),
        )
        return int(self._connection.call("MatchPrefix", request).matched_length)

    def inspect(self, sequence_id: int) -> SequenceInfo:
        """What any sequence of the tenant holds, by its id. Unlike `KvSequence.get` this renews
        no lease."""
        request = admin_pb2.InspectSequenceRequest(sequence_id=sequence_id)
        answer = self._connection.call_admin("InspectSequence", request)
        return SequenceInfo.from_wire(answer.sequence, answer.evictions)

    def inspect_head(self, sequence_id: int, layer: int, kv_head: int) -> Explanation:
        """Which positions one head cache keeps, and with what scores. Unlike `KvSequence.explain`
        this renews no lease."""
        request = sequence_pb2.ExplainSequenceRequest(
            sequence_id=sequence_id, layer=layer, kv_head=kv_head
        )
        return Explanation.from_wire(self._connection.call_admin("InspectHeadCache", request))

    def close(self) -> None:
        """Ends the connection and every session on it; later calls raise FailedPrecondition."""
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
