# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A Hugging Face cache whose keys and values are in the daemon."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
import torch
from transformers import Cache, PreTrainedModel

from sluice.client import Client
from sluice.policy import Policy, ResolvedPolicy
from sluice.sequence import KvSequence
from sluice.tensors import Array
from sluice.transformers import attention, hooks
from sluice.transformers.forward_pass import ForwardPass
from sluice.transformers.geometry import model_spec
from sluice.transformers.holdings import Holdings
from sluice.transformers.layer import DaemonLayer
from sluice.transformers.rows import Forward, Row, cut, find_leaders, fit_padding

_MAX_WAIT_S = 30.0


class SluiceCache(Cache):
    """The KV cache of one batch in the daemon, as `past_key_values` of its model.

    Made anew for each conversation, and kept for its further turns. Its sequences end with it:
    with `close`, as a context manager, or when it is collected. Not thread-safe. A window of
    Mistral or Qwen counts a row's own tokens, never padding between them. A forward pass of a
    single token ends a prefill for the policy; longer ones belong to it, unless they are drafts. A
    forward pass raises SluiceError where the daemon refuses, and ValueError for what no
    SluiceCache can do; after either it can be called again.
    """

    _holdings: Holdings
    _rows: list[Row]
    _pass: ForwardPass | None
    _contents: Array | None  # of the next pass, by row
    _unattended_layer: int | None  # its keys have come, its attention has not

    def __init__(
        self,
        model: PreTrainedModel,
        server: str | Client,
        policy: str | Policy = "full",
        *,
        draft_tokens: int = 0,
        page_size_tokens: int = 32,
        max_wait_s: float = _MAX_WAIT_S,
    ) -> None:
        """Registers the model's geometry and switches its attention to "sluice".

        server: the daemon's address, or a client of it. draft_tokens: the most that an assistant
        or a prompt lookup proposes at a time; needed with a policy that evicts. max_wait_s: how
        long a step waits for memory. Raises ValueError for a model that is not supported, and
        SluiceError for a policy that the daemon refuses.
        """
        spec = model_spec(model, page_size_tokens)
        client = Client(server) if isinstance(server, str) else server
        wanted = Policy(policy) if isinstance(policy, str) else policy
        kv_model = client.register_model(spec)
        self._start(Holdings(client, kv_model, wanted, draft_tokens, max_wait_s), [])
        super().__init__(layers=[DaemonLayer(self.policy.allows_rollback) for _ in spec.layers])
        hooks.watch(model.base_model)
        model.set_attn_implementation(attention.NAME)

    @property
    def policy(self) -> ResolvedPolicy:
        """The policy as the daemon applies it."""
        return self._holdings.policy

    @property
    def sequences(self) -> list[KvSequence | None]:
        """The sequence of each row: one for rows that were equal so far, None for a row that had
        no token yet."""
        return [row.sequence for row in self._rows]

    def close(self) -> None:
        """Frees the sequences; the cache cannot be used any more."""
        self._finish()

    def __enter__(self) -> "SluiceCache":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # What the library asks.

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """The columns of the batch, padding included, whatever was evicted."""
        return len(self._rows[0].real) if self._rows else 0

    def get_mask_sizes(self, query_length: Any, layer_idx: int = 0) -> tuple[int, int]:
        """`query_length`: a number, or as older versions have it the positions."""
        added = query_length if isinstance(query_length, int) else len(query_length)
        return self.get_seq_length() + added, 0

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *arguments: Any,
        **more: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores nothing yet: the attention that gets these keys sends them with its queries."""
        if key_states.requires_grad:
            raise ValueError("model: its keys need gradients; call it under torch.no_grad()")
        if layer_idx > 0 and self._unattended_layer == layer_idx - 1:
            raise ValueError(
                f'model: its attention is not "{attention.NAME}"; a SluiceCache belongs to the '
                "model that it was made for, as it was left"
            )
        self._unattended_layer = layer_idx
        return attention.mark(key_states, self), value_states

    def crop(self, tokens_to_remove: int) -> None:
        """Takes the last columns off: `-n` removes n, a positive n is how many are left, as in
        older versions. Raises ValueError where the policy allows no rollback."""
        if not self.policy.allows_rollback:
            preset = self.policy.policy.preset
            raise ValueError(f'policy: "{preset}" allows no rollback, so no assistant and no crop')
        self._abort()
        columns = self.get_seq_length()
        left = tokens_to_remove if tokens_to_remove > 0 else columns + tokens_to_remove
        self._rows = cut(self._rows, max(left, 0))

    def reset(self) -> None:
        """Forgets all tokens."""
        self._abort()
        self._rows = []
        self._holdings.keep_only([])

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        self._select(beam_idx.tolist())

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        rows = torch.arange(len(self._rows), device=indices.device)
        self._select(rows[indices].tolist())

    def batch_repeat_interleave(self, repeats: int) -> None:
        self._select([row for row in range(len(self._rows)) for _ in range(repeats)])

    def __deepcopy__(self, memo: dict[int, Any]) -> "SluiceCache":
        """A cache with forks of the sequences, and a session of its own."""
        self._abort()
        copied = SluiceCache.__new__(SluiceCache)
        memo[id(self)] = copied
        copied.__dict__.update(self.__dict__)
        copied._start(*self._holdings.copy(self._rows))
        return copied

    # What the registered attention and the hook ask.

    def note_inputs(self, contents: Array | None) -> None:
        self._contents = contents

    def check_call(self, layer: int, scaling: float | None, options: dict[str, Any]) -> None:
        spec = self._holdings.model.spec
        if scaling is None or spec.scale is None or abs(scaling / spec.scale - 1) > 1e-6:
            raise ValueError(f"scaling: {scaling}; the model was registered with {spec.scale}")
        window = options.get("sliding_window")
        registered = spec.layers[layer].window_tokens
        if window is not None and window != registered:
            raise ValueError(f"sliding_window: {window}; layer {layer} has {registered}")

    def attend(
        self,
        layer: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        padding: torch.Tensor | None,
    ) -> torch.Tensor:
        self._unattended_layer = None
        if layer == 0:
            self._begin(q, padding)
        under_way = self._pass
        if under_way is None:
            raise ValueError(f"layer {layer}: layer 0 is next")
        out = under_way.attend(layer, q, k, v)
        if under_way.finished_layers == len(self.layers):
            self._rows = under_way.forward.rows
            self._pass = None
        return out

    def _start(self, holdings: Holdings, rows: list[Row]) -> None:
        self._holdings = holdings
        self._finish = weakref.finalize(self, holdings.session.close)
        self._rows = rows
        self._pass = None
        self._contents = None
        self._unattended_layer = None

    def _begin(self, q: torch.Tensor, padding: torch.Tensor | None) -> None:
        self._abort()
        batch, columns = q.shape[0], q.shape[2]
        contents, self._contents = self._contents, None
        rows = self._rows or [Row(None, np.zeros(0, bool))] * batch
        if len(rows) != batch:
            raise ValueError(f"input_ids: {batch} rows; the cache has {len(rows)}")
        mask = None if padding is None else padding.bool().cpu().numpy()
        rows, new = fit_padding(rows, mask, columns)
        leaders = find_leaders(rows, new, contents)
        owners = self._holdings.part(rows, new, leaders)
        rows = [
            replace(row, sequence=owners[leader]) for row, leader in zip(rows, leaders, strict=True)
        ]
        forward = Forward.of(rows, leaders, new)
        entries = forward.entries(self._holdings.draft_tokens)
        step = None
        if entries:
            wait = self._holdings.max_wait_s
            step = self._holdings.session.begin_step(entries, max_wait_s=wait)
        self._rows = rows
        self._pass = ForwardPass(forward, step, q.device)

    def _select(self, indices: Sequence[int]) -> None:
        self._abort()
        if self._rows:
            self._rows = [self._rows[index] for index in indices]

    def _abort(self) -> None:
        """Undoes the step of a forward pass that did not reach its last layer."""
        under_way, self._pass = self._pass, None
        if under_way is not None:
            under_way.abort()
