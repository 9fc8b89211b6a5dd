"""Client of a `tensorrt_llm` model that waits for whole answers, and keeps what the server says about each.

One response a request, unlike the gateway's streams: a stream of every pass would have one Python process measure
itself at these rates.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import np_to_triton_dtype

from querygist.engines.triton.protocol import LOOKAHEAD, MODEL
from querygist.errors import EngineUnavailable

TIMEOUT_SECONDS = 60.0

TIMES = ("arrival_time_ns", "first_scheduled_time_ns", "last_token_time_ns")
COUNTS = ("total_draft_tokens", "total_accepted_draft_tokens", "acceptance_rate")
OUTPUTS = [InferRequestedOutput(name) for name in ("output_ids", "sequence_length", *COUNTS, *TIMES)]
FLAGS = {"streaming": False, "exclude_input_in_output": True, "return_perf_metrics": True}

Lookahead = tuple[int, int, int] | None
"""Window, n-gram and verification set of a request; None decodes as the server is configured."""


@dataclass(frozen=True, slots=True)
class Generation:
    """`queue_seconds` and `server_seconds` are the executor's own, from the request's arrival to its first pass and to
    its last token. `acceptance_rate` is TensorRT-LLM's own, of draft tokens.
    """

    ids: tuple[int, ...]
    queue_seconds: float
    server_seconds: float
    drafted: int
    accepted: int
    acceptance_rate: float


class TritonClient:
    """Greedy generations of at most `max_new_tokens`."""

    def __init__(self, client: InferenceServerClient, *, end_id: int, max_new_tokens: int) -> None:
        self._client = client
        self._fixed = {"request_output_len": max_new_tokens, "end_id": end_id, "pad_id": end_id}

    async def generate(self, ids: Sequence[int], number: int, lookahead: Lookahead = None) -> Generation:
        """Return the answer to one request. Raises EngineUnavailable with the server's reason, or after the timeout."""

        async def request() -> AsyncIterator[dict[str, Any]]:
            yield {
                "model_name": MODEL,
                "inputs": self._inputs(ids, lookahead),
                "outputs": OUTPUTS,
                "request_id": f"accept-{number}",
            }

        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                stream = self._client.stream_infer(request(), stream_timeout=2 * TIMEOUT_SECONDS)
                responses = [response async for response in stream]
        except TimeoutError:
            raise EngineUnavailable(f"no answer in {TIMEOUT_SECONDS:g} s") from None
        except Exception as error:  # tritonclient's, gRPC's, and its CancelledError's kin
            raise EngineUnavailable(f"{type(error).__name__}: {error}") from error
        if errors := [str(error) for _, error in responses if error is not None]:
            raise EngineUnavailable(errors[0])
        whole = [result for result, _ in responses if result.as_numpy("output_ids") is not None]
        if len(whole) != 1:
            raise EngineUnavailable(f"{len(whole)} answers to one request that was not to be streamed")
        return _generation(whole[0])

    async def generate_together(self, prompts: Sequence[Sequence[int]]) -> list[Generation]:
        """Return the answers to requests that are sent at the same time. Raises EngineUnavailable."""
        return list(await asyncio.gather(*(self.generate(ids, number) for number, ids in enumerate(prompts))))

    async def generate_one_by_one(
        self, prompts: Sequence[Sequence[int]], lookahead: Lookahead = None
    ) -> list[Generation]:
        """Return the answers to requests that are sent one after the other. Raises EngineUnavailable."""
        return [await self.generate(ids, number, lookahead) for number, ids in enumerate(prompts)]

    def _inputs(self, ids: Sequence[int], lookahead: Lookahead) -> list[InferInput]:
        chosen = dict(zip(LOOKAHEAD, lookahead, strict=True)) if lookahead else {}
        integers = self._fixed | {"input_lengths": len(ids)} | chosen
        return [
            _tensor("input_ids", np.asarray([ids], dtype=np.int32)),
            *(_tensor(name, np.asarray([[value]], dtype=np.int32)) for name, value in integers.items()),
            *(_tensor(name, np.asarray([[value]], dtype=np.bool_)) for name, value in FLAGS.items()),
        ]


def _generation(result: InferResult) -> Generation:
    def number(name: str) -> Any:
        values = result.as_numpy(name)
        return values.reshape(-1)[0].item() if values is not None else 0  # nanoseconds since 1970 fit into no float

    arrival, scheduled, last = (number(name) for name in TIMES)
    drafted, accepted, rate = (number(name) for name in COUNTS)
    return Generation(
        ids=tuple(result.as_numpy("output_ids").reshape(-1)[: number("sequence_length")].tolist()),
        queue_seconds=(scheduled - arrival) / 1e9,
        server_seconds=(last - arrival) / 1e9,
        drafted=drafted,
        accepted=accepted,
        acceptance_rate=float(rate),
    )


def _tensor(name: str, values: NDArray[Any]) -> InferInput:
    tensor = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values)
    return tensor
