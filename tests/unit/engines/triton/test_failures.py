"""What failed calls to Triton mean."""

import grpc
import pytest
from grpc import StatusCode
from tritonclient.utils import InferenceServerException

from querygist.engines.triton import failures
from querygist.engines.triton.failures import classify
from querygist.errors import DeadlineExceeded, EngineUnavailable, Overloaded, ServiceError

ADDRESS = "triton-7:8001"

UNKNOWN_MODEL = "Request for unknown model: 'tensorrt_llm' is not found"
WRONG_TYPE = "inference input 'end_id' data-type is 'INT64', but model 'tensorrt_llm' expects 'INT32'"
WRONG_SHAPE = "unexpected shape for input 'end_id' for model 'tensorrt_llm'. Expected [-1,1], got [1,2]"

# gRPC's status, what Triton 2.51 says, and: error, seconds to wait, whether the server is ill.
MEASURED = [
    (None, "[request id: a] Exceeds maximum queue size", Overloaded, 1, False),
    # read in TensorRT-LLM (executorImpl.cpp, enqueueRequests), whose executor has a queue of its own
    (None, "Maximum queue size of 256 has been reached, please try again later", Overloaded, 1, False),
    (None, "Request timeout expired", DeadlineExceeded, None, False),
    (None, "Stub process 'tensorrt_llm_0_0' is not healthy.", EngineUnavailable, 5, True),
    (None, "GRPC server is shutting down and has stopped accepting new requests.", EngineUnavailable, 5, True),
    (None, UNKNOWN_MODEL, EngineUnavailable, 5, True),
    (None, "unexpected inference input 'x' for model 'tensorrt_llm'", EngineUnavailable, 30, True),
    (None, WRONG_SHAPE, EngineUnavailable, 30, True),
    (None, WRONG_TYPE, EngineUnavailable, 30, True),
    (None, "request_output_len is 0; it must be at least 1.", EngineUnavailable, 1, False),
    (StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max", Overloaded, 1, False),
    (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", DeadlineExceeded, None, False),
    (StatusCode.UNAVAILABLE, "failed to connect to all addresses", EngineUnavailable, 5, True),
    (StatusCode.UNAVAILABLE, "[request id: a] Exceeds maximum queue size", Overloaded, 1, False),
    (StatusCode.UNIMPLEMENTED, "", EngineUnavailable, 30, True),
    (StatusCode.INTERNAL, "request_output_len is 0; it must be at least 1.", EngineUnavailable, 1, False),
    (StatusCode.UNKNOWN, None, EngineUnavailable, 1, False),
]


class Failed(grpc.RpcError):
    def __init__(self, status: StatusCode, message: str | None) -> None:
        super().__init__()
        self._status, self._message = status, message

    def code(self) -> StatusCode:
        return self._status

    def details(self) -> str | None:
        return self._message


def failed(status: StatusCode | None, message: str | None) -> Failed | InferenceServerException:
    return InferenceServerException(message) if status is None else Failed(status, message)


@pytest.mark.parametrize(("status", "message", "kind", "retry_after", "ill"), MEASURED)
def test_each_failure_has_its_meaning(
    status: StatusCode | None, message: str | None, kind: type[ServiceError], retry_after: float | None, ill: bool
) -> None:
    failure = classify(failed(status, message), ADDRESS)
    assert type(failure.error) is kind
    assert failure.error.retry_after == retry_after
    assert failure.endpoint_failed is ill
    assert failure.holds_on is ("not healthy" in (message or "")), "other servers end what they hold by themselves"
    assert ADDRESS in failure.error.detail, "an operator with several servers must know which"


@pytest.mark.parametrize(("status", "message"), [row[:2] for row in MEASURED if row[1]])
def test_what_triton_says_is_not_handed_on(status: StatusCode | None, message: str) -> None:
    assert message not in classify(failed(status, message), ADDRESS).error.detail


def test_an_unknown_failure_names_its_status() -> None:
    assert "(DATA_LOSS)" in classify(failed(StatusCode.DATA_LOSS, "x"), ADDRESS).error.detail


def test_every_rule_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a rule, one of the failures above would mean something else."""
    rules = failures._RULES

    def meanings() -> list[tuple[object, ...]]:
        failures = [classify(failed(status, message), ADDRESS) for status, message, *_ in MEASURED]
        return [(type(one.error), one.error.detail, one.error.retry_after, one.endpoint_failed) for one in failures]

    whole = meanings()
    for rule in rules:
        monkeypatch.setattr(failures, "_RULES", tuple(other for other in rules if other is not rule))
        assert meanings() != whole, rule
