"""Tensors of Triton's `tensorrt_llm` model over gRPC: token ids there and back, nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from querygist.engines.base import GenerationRequest

MODEL = "tensorrt_llm"

PLAIN = (1, 1, 0)
"""The lookahead (window, n-gram, verification set) that decodes one token a pass."""

LOOKAHEAD = ("lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size")
"""The three inputs of a request, and the three parameters of a server."""

ERRORS = (InferenceServerException, grpc.RpcError)
"""What tritonclient raises; which of them depends on the call."""

FLAGS = ("streaming", "exclude_input_in_output", "return_perf_metrics")
"""Inputs that are always true."""

OUTPUTS = ("output_ids", "sequence_length", "total_draft_tokens", "total_accepted_draft_tokens")

_REQUESTED = [InferRequestedOutput(name) for name in OUTPUTS]


@dataclass(frozen=True, slots=True)
class Pass:
    """One response: the new ids, the request's draft counts so far, and whether it is the last."""

    ids: tuple[int, ...]
    drafted: int
    accepted: int
    final: bool


def stream(
    client: InferenceServerClient,
    request: GenerationRequest,
    *,
    end_id: int,
    lookahead: tuple[int, int, int] | None,
) -> Any:
    """Open a stream for one request; an async iterator of (InferResult | None, error | None) with `cancel()`.

    `lookahead` is (window, n-gram, verification set); None leaves the inputs out, as an engine built without lookahead
    wants it. The request's deadline ends the stream with DEADLINE_EXCEEDED; the metadata carry its trace headers.
    """
    message = {
        "model_name": MODEL,
        "inputs": _inputs(request.ids, request.max_new_tokens, end_id, lookahead),
        "outputs": _REQUESTED,
        "request_id": request.request_id,
    }

    async def one() -> AsyncIterator[dict[str, Any]]:
        yield message

    timeout = max(0.001, request.deadline.remaining())
    return client.stream_infer(one(), stream_timeout=timeout, headers=dict(request.trace_headers))


def read(result: InferResult) -> Pass:
    """One streamed response."""
    ids = result.as_numpy("output_ids")
    drafted, accepted = (result.as_numpy(name) for name in OUTPUTS[2:])
    return Pass(
        ids=tuple(ids.reshape(-1).tolist()) if ids is not None else (),
        drafted=int(drafted.reshape(-1)[0]) if drafted is not None else 0,
        accepted=int(accepted.reshape(-1)[0]) if accepted is not None else 0,
        final=result.get_response().parameters["triton_final_response"].bool_param,
    )


def status_of(error: Exception) -> str:
    """The gRPC status of one of ERRORS, such as UNAVAILABLE; UNKNOWN where Triton told the error in words."""
    code = error.code() if isinstance(error, grpc.RpcError) else error.status()  # type: ignore[attr-defined]
    return str(getattr(code, "name", code) or "UNKNOWN").removeprefix("StatusCode.")


def _inputs(
    ids: Sequence[int], max_new_tokens: int, end_id: int, lookahead: tuple[int, int, int] | None
) -> list[InferInput]:
    integers = {
        "input_lengths": len(ids),
        "request_output_len": max_new_tokens,
        "end_id": end_id,
        "pad_id": end_id,
        **({} if lookahead is None else dict(zip(LOOKAHEAD, lookahead, strict=True))),
    }
    return [
        _tensor("input_ids", np.asarray([ids], dtype=np.int32)),
        *(_scalar(name, value) for name, value in integers.items()),
        *(_scalar(name, True) for name in FLAGS),
    ]


@lru_cache(maxsize=4096)
def _scalar(name: str, value: int | bool) -> InferInput:
    """Most inputs are the same for every request, and building one costs as much as all the ids."""
    return _tensor(name, np.asarray([[value]], dtype=np.bool_ if isinstance(value, bool) else np.int32))


def _tensor(name: str, values: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values)
    return tensor
