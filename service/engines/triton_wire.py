"""What goes over gRPC to Triton's `tensorrt_llm` model and back: token ids as tensors, nothing else."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

MODEL = "tensorrt_llm"

PLAIN = (1, 1, 0)
"""The lookahead (window, n-gram, verification set) that decodes one token a pass."""

LOOKAHEAD = ("lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size")
"""The three inputs of a request, and the three parameters of a server."""

HEADERS = {"triton_grpc_error": "true"}
"""Makes Triton end a stream with a gRPC status where it would send a message without one (server 24.08 and later)."""

ERRORS = (InferenceServerException, grpc.RpcError)
"""What tritonclient raises; which of them depends on the call."""

OUTPUTS = ("output_ids", "sequence_length", "total_draft_tokens", "total_accepted_draft_tokens")


@dataclass(frozen=True, slots=True)
class Pass:
    """One response: the new ids, the request's draft counts so far, and whether it is the last."""

    ids: tuple[int, ...]
    drafted: int
    accepted: int
    final: bool


def stream(
    client: InferenceServerClient,
    ids: Sequence[int],
    *,
    max_new_tokens: int,
    end_id: int,
    lookahead: tuple[int, int, int] | None,
    request_id: str,
    timeout: float,
) -> Any:
    """Open a stream for one request; an async iterator of (InferResult | None, error | None) with `cancel()`.

    `lookahead` is (window, n-gram, verification set), None for the server's own. `timeout` in seconds ends the stream
    with DEADLINE_EXCEEDED.
    """
    request = {
        "model_name": MODEL,
        "inputs": _inputs(ids, max_new_tokens, end_id, lookahead),
        "outputs": [InferRequestedOutput(name) for name in OUTPUTS],
        "request_id": request_id,
    }

    async def one() -> AsyncIterator[dict[str, Any]]:
        yield request

    return client.stream_infer(one(), stream_timeout=timeout, headers=HEADERS)


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
    """The gRPC status of one of ERRORS, such as UNAVAILABLE."""
    code = error.code() if isinstance(error, grpc.RpcError) else error.status()  # type: ignore[attr-defined]
    return str(getattr(code, "name", code)).removeprefix("StatusCode.")


def _inputs(
    ids: Sequence[int], max_new_tokens: int, end_id: int, lookahead: tuple[int, int, int] | None
) -> list[InferInput]:
    integers = {
        "input_lengths": len(ids),
        "request_output_len": max_new_tokens,
        "end_id": end_id,
        "pad_id": end_id,
        **(dict(zip(LOOKAHEAD, lookahead, strict=True)) if lookahead else {}),
    }
    flags = ("streaming", "exclude_input_in_output", "return_perf_metrics")
    return [
        _tensor("input_ids", "INT32", np.asarray([ids], dtype=np.int32)),
        *(_tensor(name, "INT32", np.asarray([[value]], dtype=np.int32)) for name, value in integers.items()),
        *(_tensor(name, "BOOL", np.asarray([[True]])) for name in flags),
    ]


def _tensor(name: str, kind: str, values: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(values.shape), kind)
    tensor.set_data_from_numpy(values)
    return tensor
