# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Measures cells against a running daemon."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sluice
from cells import Cell, Record
from example.daemon_attention import DaemonAttention, model_spec
from example.in_process import InProcessAttention
from example.model import Model
from example.weights import MODEL_DIR, load_weights
from script import foretell

POOL_BYTES = 256 << 20


def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


class _WatchedAttention(DaemonAttention):
    """Attention in the daemon that notes what is held when the first step after the prompt has
    begun: what the policy does at the prompt's end is done then."""

    after_prompt: sluice.SequenceInfo | None = None

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        super().begin_step(token_ids, prefill=prefill, prefill_end=prefill_end)
        if not prefill and self.after_prompt is None:
            self.after_prompt = self.sequence.get()


class Measuring:
    """The model in this process and a session with the daemon. Not thread-safe.

    Calls raise SluiceError.
    """

    def __init__(self, client: sluice.Client) -> None:
        self.model_hash = file_hash(MODEL_DIR / "model.safetensors")
        self._client = client
        self._model = Model(load_weights())
        self._kv_model = client.register_model(model_spec(self._model.config))
        self._session = client.session("quality")

    def check_policy(self, policy: sluice.Policy) -> None:
        """Raises SluiceError when the daemon refuses it."""
        self._client.create_sequence(self._kv_model, policy=policy, session=self._session).free()

    def measure(self, cell: Cell) -> Record:
        script = cell.task.script(cell.seed)
        policy = cell.policy(script)
        with self._client.create_sequence(
            self._kv_model, policy=policy, session=self._session
        ) as sequence:
            attention = _WatchedAttention(self._session, sequence)
            logits = foretell(self._model, attention, script)
            streamed = cell.task.every_tokens is not None
            info = sequence.get() if streamed else attention.after_prompt
        assert info is not None, "every script has a step after its prompt"
        difference, in_process_value = None, None
        if cell.line.preset == "full":
            expected = foretell(self._model, InProcessAttention(self._model.config), script)
            difference = float(np.abs(logits - expected).max())
            in_process_value = cell.task.measure.of(script, expected)
        return Record(
            key=cell.key(self.model_hash),
            value=cell.task.measure.of(script, logits),
            length=info.length,
            kept_tokens=info.kept_tokens / sum(len(layer.kept_tokens) for layer in info.layers),
            held_bytes=info.held_bytes,
            logit_difference=difference,
            in_process_value=in_process_value,
        )

    def close(self) -> None:
        self._session.close()
