# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""A service in this process that keeps everything and attends with numpy.

It stands in for the daemon where the client itself is under test: `delay_s`, `refuse` and
`requests` let a test slow it down, make it refuse and see what came.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from sluice._generated import (
    kv_cache_pb2,
    kv_cache_pb2_grpc,
    sequence_pb2,
    session_pb2,
    step_pb2,
    types_pb2,
)
from sluice.tensors import fill_tensor, from_tensor

_SESSION_CALLS = {
    "begin_step": "BeginStep",
    "end_step": "EndStep",
    "append": "Append",
    "attend": "Attend",
}


# Arguments of `sluice.ModelSpec.uniform` for the model that tests use.
MODEL: dict[str, Any] = {
    "name": "tiny",
    "layers": 2,
    "q_heads": 4,
    "kv_heads": 2,
    "head_dim": 64,
}


class Refusal(Exception):
    """What a call is refused with, on a stream or unary."""

    def __init__(self, wire: types_pb2.Error) -> None:
        super().__init__(wire.message)
        self.wire = wire


class FakeService(kv_cache_pb2_grpc.KvCacheServicer):
    def __init__(self, epoch: int = 1, inline_tensor_bytes: int = 1 << 26) -> None:
        self.epoch = epoch
        self.inline_tensor_bytes = inline_tensor_bytes
        self.heartbeat_limit_s = 10.0
        self.delay_s = 0.0
        # Share of the tokens that a sequence says it keeps, by preset; 1 where none is named.
        self.kept_share: dict[str, float] = {}
        self.value_error = np.float32(0)
        self.refuse: dict[str, types_pb2.Error] = {}
        self.requests: list[tuple[str, Any]] = []
        self.heartbeats = threading.Semaphore(0)
        self.sessions_ended = threading.Semaphore(0)
        self._ids = iter(range(epoch << 40 | 1, epoch << 40 | 1 << 20))
        self._geometries: dict[int, types_pb2.ModelGeometry] = {}
        # By sequence: its model, its closed length and the keys and values of each layer.
        self._models: dict[int, int] = {}
        self._presets: dict[int, str] = {}
        self._lengths: dict[int, int] = {}
        self._rows: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        # By step: its one entry and how many tokens each layer has.
        self._steps: dict[int, tuple[step_pb2.StepEntry, dict[int, int]]] = {}

    def GetCapabilities(self, request: Any, context: Any) -> Any:
        limits = kv_cache_pb2.Limits(
            inline_tensor_bytes=self.inline_tensor_bytes, message_bytes=1 << 27
        )
        answer = kv_cache_pb2.GetCapabilitiesResponse(
            version="0.1.0",
            epoch=self.epoch,
            backend="fake",
            dtypes=[types_pb2.DTYPE_FP32, types_pb2.DTYPE_BF16],
            head_dims=[64],
            limits=limits,
        )
        answer.default_lease.FromSeconds(600)
        return self._unary("GetCapabilities", request, context, lambda _: answer)

    def RegisterModel(self, request: Any, context: Any) -> Any:
        def register(request: Any) -> Any:
            model_id = next(self._ids)
            self._geometries[model_id] = request.geometry
            return kv_cache_pb2.RegisterModelResponse(
                model_id=model_id, fingerprint="ab", block_bytes=4096
            )

        return self._unary("RegisterModel", request, context, register)

    def CreateSequence(self, request: Any, context: Any) -> Any:
        def create(request: Any) -> Any:
            self._check_epoch(request.model_id)
            sequence_id = next(self._ids)
            self._models[sequence_id] = request.model_id
            self._lengths[sequence_id] = 0
            answer = sequence_pb2.CreateSequenceResponse(sequence_id=sequence_id)
            self._presets[sequence_id] = request.policy.preset or "full"
            answer.policy.preset = self._presets[sequence_id]
            answer.policy.parameters.CopyFrom(request.policy.parameters)
            return answer

        return self._unary("CreateSequence", request, context, create)

    def ForkSequences(self, request: Any, context: Any) -> Any:
        def fork(request: Any) -> Any:
            forks = []
            for parent in request.parents:
                child = next(self._ids)
                self._models[child] = self._models[parent]
                self._presets[child] = self._presets[parent]
                self._lengths[child] = self._lengths[parent]
                for (owner, layer), rows in list(self._rows.items()):
                    if owner == parent:
                        self._rows[child, layer] = rows
                forks.append(child)
            return sequence_pb2.ForkSequencesResponse(sequence_ids=forks)

        return self._unary("ForkSequences", request, context, fork)

    def FreeSequences(self, request: Any, context: Any) -> Any:
        def free(request: Any) -> Any:
            for sequence_id in request.sequence_ids:
                self._length(sequence_id)
                del self._lengths[sequence_id]
            return sequence_pb2.FreeSequencesResponse()

        return self._unary("FreeSequences", request, context, free)

    def GetSequence(self, request: Any, context: Any) -> Any:
        def get(request: Any) -> Any:
            length = self._length(request.sequence_id)
            kept = int(length * self.kept_share.get(self._presets[request.sequence_id], 1))
            answer = sequence_pb2.GetSequenceResponse(
                sequence_id=request.sequence_id, length=length, held_bytes=100 * kept
            )
            geometry = self._geometries[self._models[request.sequence_id]]
            for number, layer in enumerate(geometry.layers):
                heads = layer.kv_head_count
                answer.layers.add(layer=number, kept_tokens=[kept] * heads)
            return answer

        return self._unary("GetSequence", request, context, get)

    def SetPolicy(self, request: Any, context: Any) -> Any:
        def resolve(request: Any) -> Any:
            answer = sequence_pb2.SetPolicyResponse()
            answer.policy.preset = request.policy.preset
            answer.policy.parameters.CopyFrom(request.policy.parameters)
            answer.policy.needs.observation_window_tokens = 8
            return answer

        return self._unary("SetPolicy", request, context, resolve)

    def Compress(self, request: Any, context: Any) -> Any:
        answer = sequence_pb2.CompressResponse(freed_now_bytes=10, freed_later_bytes=3)
        answer.layers.add(layer=0, kept_tokens=[5, 6])
        answer.job.outcome = answer.job.OUTCOME_DRY_RUN
        answer.job.trigger = 4
        answer.job.duration.FromMilliseconds(1500)
        return self._unary("Compress", request, context, lambda _: answer)

    def ExplainSequence(self, request: Any, context: Any) -> Any:
        answer = sequence_pb2.ExplainSequenceResponse(
            kept_positions=[0, 2, 7], body_token_count=2, scores=[-1.5, -2.0, -0.5], length=8
        )
        return self._unary("ExplainSequence", request, context, lambda _: answer)

    def BeginStep(self, request: Any, context: Any) -> Any:
        return self._unary("BeginStep", request, context, self._begin_step)

    def EndStep(self, request: Any, context: Any) -> Any:
        return self._unary("EndStep", request, context, self._end_step)

    def Append(self, request: Any, context: Any) -> Any:
        return self._unary("Append", request, context, self._append)

    def Attend(self, request: Any, context: Any) -> Any:
        return self._unary("Attend", request, context, self._attend)

    def Session(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        try:
            for request in requests:
                yield self._answer(request)
        finally:
            self.sessions_ended.release()

    def _answer(self, request: Any) -> Any:
        kind = request.WhichOneof("request")
        answer = session_pb2.SessionResponse(call_id=request.call_id)
        if kind == "open":
            answer.open.session_id = next(self._ids)
            answer.open.epoch = self.epoch
            answer.open.heartbeat_limit.FromNanoseconds(round(self.heartbeat_limit_s * 1e9))
        elif kind == "heartbeat":
            self.heartbeats.release()
            answer.heartbeat.SetInParent()
        else:
            try:
                inner = self._apply(_SESSION_CALLS[kind], getattr(request, kind))
                getattr(answer, kind).CopyFrom(inner)
            except Refusal as refusal:
                answer.error.CopyFrom(refusal.wire)
        return answer

    def _apply(self, name: str, request: Any, work: Any = None) -> Any:
        self.requests.append((name, request))
        time.sleep(self.delay_s)
        if name in self.refuse:
            raise Refusal(self.refuse[name])
        methods = {
            "BeginStep": self._begin_step,
            "EndStep": self._end_step,
            "Append": self._append,
            "Attend": self._attend,
        }
        return (work or methods[name])(request)

    def _unary(self, name: str, request: Any, context: Any, work: Any) -> Any:
        try:
            return self._apply(name, request, work)
        except Refusal as refusal:
            wire = refusal.wire
            metadata = [("sluice-reason", types_pb2.Reason.Name(wire.reason)[len("REASON_") :])]
            if wire.field:
                metadata.append(("sluice-field", wire.field))
            if wire.retry_after_ms:
                metadata.append(("sluice-retry-after-ms", str(wire.retry_after_ms)))
            if wire.open_step_id:
                metadata.append(("sluice-open-step-id", str(wire.open_step_id)))
            context.set_trailing_metadata(metadata)
            code = next(code for code in grpc.StatusCode if code.value[0] == wire.code)
            context.abort(code, wire.message)

    def _check_epoch(self, number: int) -> None:
        if number >> 40 != self.epoch:
            raise Refusal(error(9, types_pb2.REASON_STALE_EPOCH, "id of an earlier life"))

    def _length(self, sequence_id: int) -> int:
        self._check_epoch(sequence_id)
        if sequence_id not in self._lengths:
            raise Refusal(error(5, types_pb2.REASON_UNKNOWN_SEQUENCE, "no such sequence"))
        return self._lengths[sequence_id]

    def _begin_step(self, request: Any) -> Any:
        (entry,) = request.entries
        length = self._length(entry.sequence_id)
        if entry.base_length > length or (entry.base_length < length and not entry.rollback):
            message = f"base_length {entry.base_length}, length {length}"
            wire = error(9, types_pb2.REASON_LENGTH_MISMATCH, message, "entries[0].base_length")
            wire.length = length
            raise Refusal(wire)
        self._lengths[entry.sequence_id] = entry.base_length
        step_id = next(self._ids)
        self._steps[step_id] = (entry, {})
        answer = step_pb2.BeginStepResponse(step_id=step_id)
        answer.entries.add(sequence_id=entry.sequence_id, length=entry.base_length)
        answer.room.block_bytes = 4096
        return answer

    def _end_step(self, request: Any) -> Any:
        if self._steps.pop(request.step_id, None) is None:
            raise Refusal(error(5, types_pb2.REASON_UNKNOWN_STEP, "no such step"))
        return step_pb2.EndStepResponse()

    def _append(self, request: Any) -> Any:
        closed = False
        for layer in request.layers:
            k, v = from_tensor(layer.k), from_tensor(layer.v)
            closed = self._store(request.step_id, layer.layer, request.first_token, k, v)
        return step_pb2.AppendResponse(step_closed=closed)

    def _attend(self, request: Any) -> Any:
        entry, _ = self._steps[request.step_id]
        q, k, v = from_tensor(request.q), from_tensor(request.k), from_tensor(request.v)
        closed = self._store(request.step_id, request.layer, request.first_token, k, v)
        keys, values = self._rows[entry.sequence_id, request.layer]
        group = q.shape[1] // keys.shape[1]
        keys, values = (np.repeat(rows, group, axis=1) for rows in (keys, values))
        logits = np.einsum("thd,shd->hts", q, keys) / np.float32(np.sqrt(q.shape[2]))
        values = values + self.value_error
        first = entry.base_length + request.first_token
        logits += np.triu(np.full(logits.shape[1:], -np.inf, np.float32), first + 1)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        total = weights.sum(axis=-1, keepdims=True)
        answer = step_pb2.AttendResponse(step_closed=closed)
        fill_tensor(answer.out, np.einsum("hts,shd->thd", weights / total, values), "out")
        if request.want_lse:
            lse = logits.max(axis=-1) + np.log(total[..., 0])
            fill_tensor(answer.lse, np.ascontiguousarray(lse.T), "lse")
        return answer

    def _store(self, step_id: int, layer: int, first: int, k: Any, v: Any) -> bool:
        entry, tokens = self._steps[step_id]
        assert first == tokens.get(layer, 0), "ranges of a layer must come in order"
        at = (entry.sequence_id, layer)
        kept = entry.base_length + first
        old = self._rows.get(at, (k[:0], v[:0]))
        self._rows[at] = (np.concatenate([old[0][:kept], k]), np.concatenate([old[1][:kept], v]))
        tokens[layer] = first + len(k)
        geometry = self._geometries[self._models[entry.sequence_id]]
        done = [tokens.get(one) == entry.token_count for one in range(len(geometry.layers))]
        if all(done):
            self._lengths[entry.sequence_id] = entry.base_length + entry.token_count
            del self._steps[step_id]
        return all(done)


def error(code: int, reason: int, message: str, field: str = "") -> types_pb2.Error:
    return types_pb2.Error(code=code, reason=reason, message=message, field=field)


def serve(service: FakeService, address: str) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    kv_cache_pb2_grpc.add_KvCacheServicer_to_server(service, server)
    server.add_insecure_port(address)
    server.start()
    return server
