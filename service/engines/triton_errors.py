"""What a failed gRPC call to Triton means: by status *and* message, as Triton uses one status for several things."""

from dataclasses import dataclass

import grpc
from grpc import StatusCode

from service.errors import DeadlineExceeded, EngineUnavailable, Overloaded, ServiceError


@dataclass(frozen=True, slots=True)
class Failure:
    """`error` is what the request ends with; `endpoint_failed`: the server itself is ill, and not only this request."""

    error: ServiceError
    endpoint_failed: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    status: StatusCode
    message: str  # part of Triton's message; "" for any
    kind: type[ServiceError]
    detail: str
    retry_after: float | None
    endpoint_failed: bool


_LATE = "The deadline passed while Triton at {} was at work."
_OTHER_MODEL = "Triton at {} serves another model than the gateway speaks to. Deploy both from one release."

_RULES = (
    _Rule(StatusCode.UNAVAILABLE, "maximum queue size", Overloaded, "The queue of Triton at {} is full.", 1, False),
    _Rule(StatusCode.RESOURCE_EXHAUSTED, "", Overloaded, "Triton at {} is out of resources.", 1, False),
    _Rule(StatusCode.DEADLINE_EXCEEDED, "", DeadlineExceeded, _LATE, None, False),
    _Rule(StatusCode.UNAVAILABLE, "timeout expired", DeadlineExceeded, _LATE, None, False),
    _Rule(StatusCode.UNAVAILABLE, "", EngineUnavailable, "Triton at {} is out of reach or ending.", 5, True),
    _Rule(StatusCode.NOT_FOUND, "", EngineUnavailable, "Triton at {} has not loaded the model.", 5, True),
    _Rule(StatusCode.INVALID_ARGUMENT, "", EngineUnavailable, _OTHER_MODEL, 30, True),
    _Rule(StatusCode.UNIMPLEMENTED, "", EngineUnavailable, _OTHER_MODEL, 30, True),
    _Rule(StatusCode.INTERNAL, "healthy", EngineUnavailable, "The model's process in Triton at {} died.", 5, True),
)
"""The first that fits holds."""


def classify(error: grpc.RpcError, address: str) -> Failure:
    """Read a gRPC error from the Triton server at `address`.

    A model's own words are not repeated: they may quote what was sent. They are in Triton's log.
    """
    code, message = error.code(), error.details() or ""
    for rule in _RULES:
        if code is rule.status and rule.message in message:
            return Failure(rule.kind(rule.detail.format(address), retry_after=rule.retry_after), rule.endpoint_failed)
    detail = f"Triton at {address} could not run this request ({code.name}). Its log says why."
    return Failure(EngineUnavailable(detail, retry_after=1), False)
