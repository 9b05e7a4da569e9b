# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Attention and KV cache entirely in the daemon, one call a layer over a session stream."""

from collections.abc import Sequence

import numpy as np
import sluice

from example.model import inverse_frequencies
from example.weights import Config, Float32Array


def model_spec(config: Config) -> sluice.ModelSpec:
    """What the daemon has to know of the model. Keys and values are stored as they are, fp32."""
    rope = sluice.RopeTable(inverse_frequencies(config).tolist(), config.head_dim)
    return sluice.ModelSpec.uniform(
        "sluice-example",
        layers=config.layers,
        q_heads=config.q_heads,
        kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        dtype=np.float32,
        scale=config.scale,
        rope_tables=[rope],
    )


class DaemonAttention:
    """One sequence in the daemon. As the model's attention it raises SluiceError."""

    def __init__(self, session: sluice.Session, sequence: sluice.KvSequence) -> None:
        self._session = session
        self.sequence = sequence
        self._step: sluice.Step | None = None

    @property
    def length(self) -> int:
        return self.sequence.length

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        phase = sluice.Phase.PREFILL if prefill else sluice.Phase.DECODE
        entry = sluice.StepEntry(
            self.sequence, token_ids=token_ids, phase=phase, prefill_end=prefill_end
        )
        self._step = self._session.begin_step([entry])

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        assert self._step is not None, "begin_step comes first"
        return self._step.attend(layer, q, k, v).out
