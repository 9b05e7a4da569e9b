# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Measures cells against a running daemon."""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import sluice
from cells import Cell, Record
from example.daemon import Daemon
from example.daemon_attention import model_spec
from example.in_process import InProcessAttention
from example.model import Model
from example.weights import MODEL_DIR, Float32Array, load_weights
from lockstep import LockstepModel, all_equal
from script import Script, foretell

SEQUENCES_A_STEP = 16
# With room for every token of sequences that go in step.
_POOL_BYTES = 512 << 20
# A run takes hours, beside whatever else the machine has to do.
_PATIENCE_S = 600


@contextlib.contextmanager
def started_daemon(binary: Path | None = None) -> Iterator[Daemon]:
    """A daemon with room to measure, that gives up on nobody soon. Raises DaemonError."""
    with tempfile.TemporaryDirectory(prefix="sluice-quality-") as folder:
        config = Path(folder) / "sluiced.json"
        patience = f"{_PATIENCE_S}s"
        config.write_text(json.dumps({"heartbeat_limit": patience, "step_time_limit": patience}))
        flags = [f"--config={config}", f"--pool_bytes={_POOL_BYTES}"]
        with Daemon(binary, flags=flags) as daemon:
            yield daemon


def client_of(daemon: Daemon) -> sluice.Client:
    return sluice.Client(daemon.address, timeout_s=_PATIENCE_S)


def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


class _DaemonLockstep:
    """Sequences in the daemon that read the same tokens, all of them in each step.

    It notes what they hold when the first step after the prompt has begun: what a policy does at
    the prompt's end is done then. Implements LockstepAttention; calls raise SluiceError.
    """

    def __init__(self, session: sluice.Session, sequences: Sequence[sluice.KvSequence]) -> None:
        self.sequences = sequences
        self.after_prompt: list[sluice.SequenceInfo] = []
        self._session = session
        self._step: sluice.Step | None = None

    @property
    def length(self) -> int:
        return self.sequences[0].length

    def begin_step(self, token_ids: Sequence[int], *, prefill: bool, prefill_end: bool) -> None:
        phase = sluice.Phase.PREFILL if prefill else sluice.Phase.DECODE
        entries = [
            sluice.StepEntry(one, token_ids=token_ids, phase=phase, prefill_end=prefill_end)
            for one in self.sequences
        ]
        self._step = self._session.begin_step(entries)
        if not prefill and not self.after_prompt:
            self.after_prompt = [one.get() for one in self.sequences]

    def attend(self, layer: int, q: Float32Array, k: Float32Array, v: Float32Array) -> Float32Array:
        assert self._step is not None, "begin_step comes first"
        out = self._step.attend(layer, *map(self._for_all, (q, k, v))).out
        return all_equal(out.reshape(len(self.sequences), -1, *out.shape[1:]))

    def _for_all(self, rows: Float32Array) -> Float32Array:
        """`[sequences * tokens, heads, head_dim]` of rows for each sequence, or of one for all."""
        whole = np.broadcast_to(rows, (len(self.sequences), *rows.shape[1:]))
        return np.ascontiguousarray(whole).reshape(-1, *rows.shape[2:])


class Measuring:
    """The model in this process and a session with the daemon. Not thread-safe.

    Calls raise SluiceError.
    """

    def __init__(self, client: sluice.Client) -> None:
        self.model_hash = file_hash(MODEL_DIR / "model.safetensors")
        self._client = client
        self._model = Model(load_weights())
        self._lockstep = LockstepModel(self._model)
        self._kv_model = client.register_model(model_spec(self._model.config))
        self._session = client.session("quality")

    def check_policy(self, policy: sluice.Policy) -> None:
        """Raises SluiceError when the daemon refuses it."""
        self._create(policy).free()

    def measure(self, cells: Sequence[Cell]) -> list[Record]:
        """Cells of one task and seed, whose sequences go in step."""
        script = cells[0].task.script(cells[0].seed)
        with contextlib.ExitStack() as stack:
            sequences = [stack.enter_context(self._create(cell.policy(script))) for cell in cells]
            attention = _DaemonLockstep(self._session, sequences)
            logits = self._lockstep.foretell(attention, script)
            streamed = cells[0].task.every_tokens is not None
            held = [one.get() for one in sequences] if streamed else attention.after_prompt
        each = np.broadcast_to(logits, (len(cells), *logits.shape[1:]))
        return [
            self._record(cell, script, *of_cell)
            for cell, *of_cell in zip(cells, each, held, strict=True)
        ]

    def _create(self, policy: sluice.Policy) -> sluice.KvSequence:
        return self._client.create_sequence(self._kv_model, policy=policy, session=self._session)

    def _record(
        self, cell: Cell, script: Script, logits: Float32Array, info: sluice.SequenceInfo
    ) -> Record:
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
