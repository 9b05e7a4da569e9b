# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""What a refused or failed call raises: SluiceError or the subclass that fits its code."""

import grpc


class SluiceError(Exception):
    """A call that did not succeed. A refused call has changed nothing.

    code: name of the gRPC status, such as "INVALID_ARGUMENT".
    reason: the daemon's finer reason, such as "STEP_OPEN"; "" where it gave none.
    field: the request's field that was wrong (`entries[17].base_length`); "" where none was.
    retry_after_ms: how long to wait before a retry; None where the daemon named no time.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        field: str = "",
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field = field
        self.retry_after_ms = retry_after_ms

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
    """The sequence is in an open step: end or abort that one first."""


class DaemonRestarted(FailedPrecondition):
    """The id belongs to an earlier life of the daemon; register, create and prefill again."""


class Aborted(SluiceError):
    """The call came out of order, or the step is gone; begin the step again."""


class SequenceLost(Aborted):
    """The sequence's state could not be restored; free it and prefill again."""


class ResourceExhausted(SluiceError):
    """No memory, quota, queue or message room; `retry_after_ms` says when to ask again."""


class Unavailable(SluiceError):
    """No daemon answers, or the connection broke. The next call connects anew."""


class DeadlineExceeded(SluiceError):
    """The daemon did not answer in time. What the call did is unknown: begin its step again."""


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


def make_error(
    code: str, message: str, reason: str = "", field: str = "", retry_after_ms: int | None = None
) -> SluiceError:
    """The error of the class that fits the reason, or else the code."""
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, SluiceError)
    return kind(message, code=code, reason=reason, field=field, retry_after_ms=retry_after_ms)


def code_name(number: int) -> str:
    """The name of a gRPC status number; "UNKNOWN" for numbers that gRPC does not have."""
    return next((code.name for code in grpc.StatusCode if code.value[0] == number), "UNKNOWN")
