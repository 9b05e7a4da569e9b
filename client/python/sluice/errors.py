# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a refused or failed call raises: SluiceError, or its subclass for the reason or code."""

from collections.abc import Mapping
from typing import Any

import grpc

from sluice._generated import types_pb2

# Numbers that come with some refusals, by their names in `SluiceError.details`.
_DETAILS = (
    "open_step_id",
    "length",
    "rollback_floor",
    "free_bytes",
    "block_bytes",
    "missing_bytes",
)


class SluiceError(Exception):
    """A call that did not succeed. A call that the daemon refused has changed nothing.

    code: name of the gRPC status, such as "INVALID_ARGUMENT".
    reason: the daemon's finer reason, such as "STEP_OPEN"; "" where it gave none.
    field: the request's field that was wrong (`entries[17].base_length`); "" where none was.
    retry_after_ms: how long to wait before a retry; None where the daemon named no time.
    details: numbers that came with it, of `open_step_id` (with STEP_OPEN), `length` (with
        LENGTH_MISMATCH), `rollback_floor` (with BELOW_FLOOR), and of refused steps
        `free_bytes`, `block_bytes`, `missing_bytes`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        field: str = "",
        retry_after_ms: int | None = None,
        details: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field = field
        self.retry_after_ms = retry_after_ms
        self.details = dict(details or {})

    def __str__(self) -> str:
        kind = f"{self.code} ({self.reason})" if self.reason else self.code
        where = f" [{self.field}]" if self.field and self.field not in self.message else ""
        return f"{kind}: {self.message}{where}"


class InvalidArgument(SluiceError):
    """The request can never succeed as it is; `field` names what is wrong."""


class NotFound(SluiceError):
    """No such model, sequence, step or session."""


class FailedPrecondition(SluiceError):
    """The request does not fit the present state, such as another length than believed."""


class StepOpen(FailedPrecondition):
    """The sequence is in an open step, `details["open_step_id"]`: abort that one first."""


class DaemonRestarted(FailedPrecondition):
    """The id belongs to an earlier life of the daemon: register, create and prefill again."""


class Aborted(SluiceError):
    """The call came out of order, or what it needed has ended; begin the step again."""


class SequenceLost(Aborted):
    """The sequence's state could not be restored: free it and prefill again."""


class ResourceExhausted(SluiceError):
    """No memory, quota, queue or message room."""


class Unavailable(SluiceError):
    """No daemon answers, it shuts down, or the connection broke. The next call connects anew."""


class DeadlineExceeded(SluiceError):
    """The daemon did not answer in time, and whether it applied the call is unknown."""


class Unimplemented(SluiceError):
    """The daemon does not offer this."""


_BY_REASON: dict[str, type[SluiceError]] = {
    "STALE_EPOCH": DaemonRestarted,
    "STEP_OPEN": StepOpen,
    "SEQUENCE_LOST": SequenceLost,
}

_BY_CODE: dict[str, type[SluiceError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": InvalidArgument,
    "NOT_FOUND": NotFound,
    "FAILED_PRECONDITION": FailedPrecondition,
    "ABORTED": Aborted,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNAVAILABLE": Unavailable,
    "CANCELLED": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "UNIMPLEMENTED": Unimplemented,
}


def make_error(code: str, message: str, *, reason: str = "", **more: Any) -> SluiceError:
    """The error of the class that fits the reason, or else the code."""
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, SluiceError)
    return kind(message, code=code, reason=reason, **more)


def again(error: SluiceError) -> SluiceError:
    """A copy to raise in another thread, where the original's traceback would be in the way."""
    return type(error)(
        error.message,
        code=error.code,
        reason=error.reason,
        field=error.field,
        retry_after_ms=error.retry_after_ms,
        details=error.details,
    )


def from_stream(wire: types_pb2.Error) -> SluiceError:
    """The refusal of a call on a session stream."""
    name = reason_name(wire.reason)
    details = {
        key: getattr(wire, key) for key in ("length", "rollback_floor") if wire.HasField(key)
    }
    if wire.open_step_id:
        details["open_step_id"] = wire.open_step_id
    if wire.HasField("room"):
        details["free_bytes"] = wire.room.free_bytes
        details["block_bytes"] = wire.room.block_bytes
        details["missing_bytes"] = wire.room.missing_bytes
    return make_error(
        _code_name(wire.code),
        wire.message,
        reason=name,
        field=wire.field,
        retry_after_ms=wire.retry_after_ms or None,
        details=details,
    )


def from_rpc(error: grpc.RpcError, address: str) -> SluiceError:
    """The failure of a unary call, or of a session stream as a whole, at that address."""
    metadata = {one.key: _text(one.value) for one in error.trailing_metadata() or ()}
    keys = {name: f"sluice-{name.replace('_', '-')}" for name in _DETAILS}
    retry_after = metadata.get("sluice-retry-after-ms")
    code, reason = error.code().name, metadata.get("sluice-reason", "")
    message = error.details() or "no message"
    if code == "UNAVAILABLE" and not reason:
        message = f"cannot reach sluiced at {address}: {message}"
    return make_error(
        code,
        message,
        reason=reason,
        field=metadata.get("sluice-field", ""),
        retry_after_ms=int(retry_after) if retry_after else None,
        details={name: int(metadata[key]) for name, key in keys.items() if key in metadata},
    )


def reason_name(reason: int) -> str:
    """The reason without its prefix; "" for none, the number for one of a newer daemon."""
    if reason == types_pb2.REASON_UNSPECIFIED:
        return ""
    if reason in types_pb2.Reason.values():
        return types_pb2.Reason.Name(reason).removeprefix("REASON_")
    return str(reason)


def _code_name(number: int) -> str:
    return next((code.name for code in grpc.StatusCode if code.value[0] == number), "UNKNOWN")


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
