"""Classification of failed requests to Triton, by gRPC status and message.

On a stream Triton tells its own failures and the model's in words, without a gRPC status; what gRPC itself finds has a
status. Triton's header `triton_grpc_error`, which turns words into statuses, is of no use: failures before the model is
reached have none even so, and one of the model's in some hundreds crashes the server (measured with 2.51).
"""

from dataclasses import dataclass

import grpc
from grpc import StatusCode
from tritonclient.utils import InferenceServerException

from querygist.errors import DeadlineExceeded, EngineUnavailable, Overloaded, ServiceError


@dataclass(frozen=True, slots=True)
class Failure:
    """`error` is what the request ends with; `endpoint_failed`: the server takes no further requests.

    `holds_on`: nor will those it has ever end by themselves.
    """

    error: ServiceError
    endpoint_failed: bool
    holds_on: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    told: str | StatusCode  # part of Triton's message, in lower case, or gRPC's status
    kind: type[ServiceError]
    detail: str
    retry_after: float | None
    endpoint_failed: bool
    holds_on: bool = False


_LATE = "The deadline passed while Triton at {} was at work."
_AWAY = "Triton at {} is out of reach or ending."
_NO_MODEL = "Triton at {} has not loaded the model."
_OTHER_MODEL = "Triton at {} serves another model than the gateway speaks to. Deploy both from one release."

_RULES = (
    # Triton's own queue, and that of TensorRT-LLM's executor: "Maximum queue size of 256 has been reached".
    _Rule("maximum queue size", Overloaded, "The queue of Triton at {} is full.", 1, False),
    _Rule("timeout expired", DeadlineExceeded, _LATE, None, False),
    _Rule("is not healthy", EngineUnavailable, "The model's process in Triton at {} died.", 5, True, True),
    _Rule("stopped accepting new", EngineUnavailable, _AWAY, 5, True),
    _Rule("request for unknown model", EngineUnavailable, _NO_MODEL, 5, True),
    _Rule("unexpected inference", EngineUnavailable, _OTHER_MODEL, 30, True),
    _Rule("unexpected shape for input", EngineUnavailable, _OTHER_MODEL, 30, True),
    _Rule("data-type is", EngineUnavailable, _OTHER_MODEL, 30, True),
    _Rule(StatusCode.RESOURCE_EXHAUSTED, Overloaded, "Triton at {} is out of resources.", 1, False),
    _Rule(StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded, _LATE, None, False),
    _Rule(StatusCode.UNAVAILABLE, EngineUnavailable, _AWAY, 5, True),
    _Rule(StatusCode.UNIMPLEMENTED, EngineUnavailable, _OTHER_MODEL, 30, True),
)
"""The first that fits holds."""


def classify(error: grpc.RpcError | InferenceServerException, address: str) -> Failure:
    """Read an error from the Triton server at `address`.

    A model's own words are not repeated: they may quote what was sent. They are in Triton's log.
    """
    status, message = _status_and_message(error)
    for rule in _RULES:
        if rule.told in message.lower() if isinstance(rule.told, str) else rule.told is status:
            error = rule.kind(rule.detail.format(address), retry_after=rule.retry_after)
            return Failure(error, rule.endpoint_failed, rule.holds_on)
    code = f" ({status.name})" if status else ""
    detail = f"Triton at {address} could not run this request{code}. Its log says why."
    return Failure(EngineUnavailable(detail, retry_after=1), endpoint_failed=False, holds_on=False)


def _status_and_message(error: grpc.RpcError | InferenceServerException) -> tuple[StatusCode | None, str]:
    """The gRPC status of an error, if it has one, and its message."""
    if isinstance(error, grpc.RpcError):
        return error.code(), error.details() or ""
    return None, error.message() or ""
