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
from transformers.cache_utils import CacheLayerMixin

from sluice.client import Client
from sluice.errors import NotFound
from sluice.policy import Policy, ResolvedPolicy
from sluice.sequence import KvSequence
from sluice.step import Step
from sluice.tensors import Array
from sluice.transformers import attention, hooks
from sluice.transformers.geometry import model_spec
from sluice.transformers.rows import Forward, Row, cut, find_leaders, fit_padding
from sluice.transformers.tensors import to_array, to_tensor

_MAX_WAIT_S = 30.0


class _Layer(CacheLayerMixin):
    """What the library asks of a single layer: that it grows and cannot be compiled."""

    is_compileable = False
    is_sliding = False
    supports_early_init = False

    def __init__(self, is_croppable: bool) -> None:
        super().__init__()
        self.is_croppable = is_croppable

    def lazy_initialization(self, *arguments: Any) -> None:
        pass

    def update(self, *arguments: Any, **more: Any) -> Any:
        raise NotImplementedError("a SluiceCache is updated as a whole")

    def get_mask_sizes(self, *arguments: Any) -> Any:
        raise NotImplementedError("a SluiceCache is asked as a whole")

    def get_seq_length(self, *arguments: Any) -> Any:
        raise NotImplementedError("a SluiceCache is asked as a whole")

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        return -1


class _Pass:
    """The forward pass that is under way."""

    def __init__(self, forward: Forward, step: Step | None, device: torch.device) -> None:
        self.forward = forward
        self.step = step
        self.next_layer = 0
        self.sent: torch.Tensor | None = None  # None: all, in order
        if not forward.is_dense:
            tokens, answers = forward.answered()
            self.sent = torch.from_numpy(forward.sent()).to(device)
            self.tokens = torch.from_numpy(tokens).to(device)
            self.answers = torch.from_numpy(answers).to(device)

    def pack(self, heads: torch.Tensor) -> Array:
        """`[rows, heads, columns, dim]` as the rows of the step, `[tokens, heads, dim]`."""
        flat = heads.transpose(1, 2).flatten(0, 1)
        return to_array(flat if self.sent is None else flat[self.sent])

    def unpack(self, out: Array, like: torch.Tensor) -> torch.Tensor:
        """The step's answer as `[rows, columns, heads, dim]`, with 0 where a token is padding."""
        rows, heads, columns, _ = like.shape
        answer = to_tensor(out, like.device)
        if self.sent is not None:
            spread = like.new_zeros(rows * columns, heads, out.shape[-1])
            spread[self.tokens] = answer[self.answers]
            answer = spread
        return answer.view(rows, columns, heads, -1)


class SluiceCache(Cache):
    """The KV cache of one batch in the daemon, as `past_key_values` of its model.

    Made anew for each conversation, and kept for its further turns. Its sequences end with it:
    with `close`, as a context manager, or when it is collected. Not thread-safe. A window of
    Mistral or Qwen counts a row's own tokens, never padding between them. A forward pass raises
    SluiceError where the daemon refuses, and ValueError for what no SluiceCache can do.
    """

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
        """Switches the model's attention to "sluice" and registers its geometry.

        server: the daemon's address, or a client of it. draft_tokens: the most that an assistant
        or a prompt lookup proposes at a time. max_wait_s: how long a step waits for memory.
        Raises ValueError for a model that is not supported, and SluiceError for a policy that the
        daemon refuses.
        """
        spec = model_spec(model, page_size_tokens)
        client = Client(server) if isinstance(server, str) else server
        kv_model = client.register_model(spec)
        self._client = client
        self._model = kv_model
        self._windows = [layer.window_tokens for layer in spec.layers]
        self._draft_tokens = draft_tokens
        self._max_wait_s = max_wait_s
        self._wanted = Policy(policy) if isinstance(policy, str) else policy
        self._open()
        self._spare = [self._create()]
        resolved = self._spare[0].policy
        assert resolved is not None, "create_sequence resolves the policy"
        self.policy: ResolvedPolicy = resolved
        super().__init__(layers=[_Layer(resolved.allows_rollback) for _ in spec.layers])
        hooks.watch(model.base_model)
        model.set_attn_implementation(attention.NAME)

    @property
    def sequences(self) -> list[KvSequence | None]:
        """The sequence of each row; equal ones where rows did not differ yet, None where a row
        had no token yet."""
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
        if layer_idx > 0 and self._unattended == layer_idx - 1:
            raise ValueError(
                f'model: its attention is not "{attention.NAME}"; a SluiceCache belongs to the '
                "model that it was made for, as it was left"
            )
        self._unattended = layer_idx
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
        self._free_unused()

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
        copied._open()
        copied._spare = []
        held = list({row.sequence.id: row.sequence for row in self._rows if row.sequence}.values())
        if held:
            session, wait = copied._session, self._max_wait_s
            copied._held = self._client.fork(held, session=session, max_wait_s=wait)
        forks = {old.id: new for old, new in zip(held, copied._held, strict=True)}
        copied._rows = [
            replace(row, sequence=forks[row.sequence.id] if row.sequence else None)
            for row in self._rows
        ]
        return copied

    # What the registered attention asks.

    def check_call(self, layer: int, scaling: float | None, options: dict[str, Any]) -> None:
        scale = self._model.spec.scale
        if scaling is None or scale is None or abs(scaling - scale) > 1e-6 * scale:
            raise ValueError(f"scaling: {scaling}; the model was registered with {scale}")
        window = options.get("sliding_window")
        if window is not None and window != self._windows[layer]:
            registered = self._windows[layer]
            raise ValueError(f"sliding_window: {window}; layer {layer} has {registered}")

    def attend(
        self,
        layer: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        padding: torch.Tensor | None,
    ) -> torch.Tensor:
        self._unattended = None
        if layer == 0:
            self._begin(q, padding)
        under_way = self._pass
        if under_way is None or under_way.next_layer != layer:
            raise ValueError(f"layer {layer}: layers must come in order from 0")
        if under_way.step is None:
            rows, heads, columns, _ = q.shape
            out = q.new_zeros(rows, columns, heads, v.shape[-1])
        else:
            pack = under_way.pack
            answer = under_way.step.attend(layer, pack(q), pack(k), pack(v))
            out = under_way.unpack(answer.out, q)
        under_way.next_layer += 1
        if under_way.next_layer == len(self._windows):
            self._rows = under_way.forward.rows
            self._pass = None
        return out

    def note_inputs(self, contents: Array | None) -> None:
        """For the forward hook: what the next pass is given of each row, to tell equal ones."""
        self._contents = contents

    def _open(self) -> None:
        session = self._client.session("transformers")
        self._session = session
        self._finish = weakref.finalize(self, session.close)
        self._rows: list[Row] = []
        self._held: list[KvSequence] = []
        self._pass: _Pass | None = None
        self._contents: Array | None = None
        self._unattended: int | None = None

    def _create(self) -> KvSequence:
        return self._client.create_sequence(
            self._model,
            policy=self._wanted,
            session=self._session,
            draft_tokens=self._draft_tokens,
        )

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
        owners = self._owners(rows, new, leaders)
        rows = [replace(row, sequence=owners[leader]) for row, leader in zip(rows, leaders)]
        grown = [
            replace(row, real=np.concatenate([row.real, new[index]]))
            for index, row in enumerate(rows)
        ]
        forward = Forward(grown, leaders, new)
        entries = forward.entries(self._draft_tokens)
        step = None
        if entries:
            step = self._session.begin_step(entries, max_wait_s=self._max_wait_s)
        self._rows = rows
        self._pass = _Pass(forward, step, q.device)

    def _owners(
        self, rows: Sequence[Row], new: Array, leaders: Sequence[int]
    ) -> dict[int, KvSequence | None]:
        """The sequence of each leader: its own, a fork where another has it, or a new one."""
        taken: set[int] = set()
        owners: dict[int, KvSequence | None] = {}
        forking = []
        for index in dict.fromkeys(leaders):
            sequence = rows[index].sequence
            if sequence is None:
                owners[index] = self._make() if new[index].any() else None
            elif sequence.id in taken:
                forking.append(index)
            else:
                taken.add(sequence.id)
                owners[index] = sequence
        if forking:
            parents = [sequence for index in forking if (sequence := rows[index].sequence)]
            forks = self._client.fork(parents, session=self._session, max_wait_s=self._max_wait_s)
            self._held += forks
            owners.update(zip(forking, forks, strict=True))
        self._free_unused([owner for owner in owners.values() if owner is not None])
        return owners

    def _make(self) -> KvSequence:
        made = self._spare.pop() if self._spare else self._create()
        self._held.append(made)
        return made

    def _free_unused(self, used: Sequence[KvSequence] = ()) -> None:
        ids = {sequence.id for sequence in used}
        unused = [sequence for sequence in self._held if sequence.id not in ids]
        if unused:
            self._client.free(unused)
            self._held = [sequence for sequence in self._held if sequence.id in ids]

    def _select(self, indices: Sequence[int]) -> None:
        self._abort()
        if self._rows:
            self._rows = [self._rows[index] for index in indices]

    def _abort(self) -> None:
        """Undoes the step of a forward pass that did not reach its last layer."""
        under_way, self._pass = self._pass, None
        if under_way is None or under_way.step is None or under_way.step.closed:
            return
        try:
            under_way.step.abort()
        except NotFound:
            pass  # undone already, by its time limit
