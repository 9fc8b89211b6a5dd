"""Whole answers from a `tensorrt_llm` model, with what the server says about each: what the measurements are made of.

One response a request, unlike the gateway's streams: a stream of every pass would have one Python process measure
itself at these rates.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import np_to_triton_dtype

from querygist.engines.triton.protocol import LOOKAHEAD, MODEL
from querygist.errors import EngineUnavailable

TIMEOUT_SECONDS = 60.0

TIMES = ("arrival_time_ns", "first_scheduled_time_ns", "last_token_time_ns")
COUNTS = ("total_draft_tokens", "total_accepted_draft_tokens", "acceptance_rate")
OUTPUTS = [InferRequestedOutput(name) for name in ("output_ids", "sequence_length", *COUNTS, *TIMES)]


@dataclass(frozen=True, slots=True)
class Answer:
    """`seconds` as the client saw it; `queue_seconds` and `server_seconds` as the executor did, from the request's
    arrival to its first pass and to its last token. `acceptance_rate` is TensorRT-LLM's own, of draft tokens.
    """

    ids: tuple[int, ...]
    seconds: float
    queue_seconds: float
    server_seconds: float
    drafted: int
    accepted: int
    acceptance_rate: float


class Asker:
    """Greedy answers of at most `max_new_tokens`."""

    def __init__(self, client: InferenceServerClient, *, end_id: int, max_new_tokens: int) -> None:
        self._client = client
        self._max_new_tokens = max_new_tokens
        self._fixed = {"request_output_len": max_new_tokens, "end_id": end_id, "pad_id": end_id}

    async def ask(self, ids: Sequence[int], number: int, lookahead: tuple[int, int, int] | None = None) -> Answer:
        """One request; `lookahead` None decodes as the server is configured.

        Raises EngineUnavailable with what the server said, or that it said nothing.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                results = [result async for result in self._results(ids, number, lookahead)]
        except TimeoutError:
            raise EngineUnavailable(f"no answer in {TIMEOUT_SECONDS:g} s") from None
        except EngineUnavailable:
            raise
        except Exception as error:  # tritonclient's, gRPC's, and its CancelledError's kin
            raise EngineUnavailable(f"{type(error).__name__}: {error}") from error
        whole = [one for one in results if one.as_numpy("output_ids") is not None]
        if len(whole) != 1:
            raise EngineUnavailable(f"{len(whole)} answers to one request that was not to be streamed")
        return _answer(whole[0], time.monotonic() - began)

    async def together(
        self, prompts: Sequence[Sequence[int]], lookahead: tuple[int, int, int] | None = None
    ) -> list[Answer]:
        """All of them at the same time. Raises EngineUnavailable."""
        return list(await asyncio.gather(*(self.ask(ids, number, lookahead) for number, ids in enumerate(prompts))))

    async def _results(self, ids: Sequence[int], number: int, lookahead: tuple[int, int, int] | None) -> Any:
        chosen = {} if lookahead is None else dict(zip(LOOKAHEAD, lookahead, strict=True))
        integers = self._fixed | {"input_lengths": len(ids)} | chosen
        flags = {"streaming": False, "exclude_input_in_output": True, "return_perf_metrics": True}
        request = {
            "model_name": MODEL,
            "inputs": [
                _tensor("input_ids", np.asarray([ids], dtype=np.int32)),
                *(_tensor(name, np.asarray([[value]], dtype=np.int32)) for name, value in integers.items()),
                *(_tensor(name, np.asarray([[value]], dtype=np.bool_)) for name, value in flags.items()),
            ],
            "outputs": OUTPUTS,
            "request_id": f"accept-{number}",
        }

        async def one() -> Any:
            yield request

        async for result, error in self._client.stream_infer(one(), stream_timeout=2 * TIMEOUT_SECONDS):
            if error is not None:
                raise EngineUnavailable(str(error))
            yield result


def _answer(result: InferResult, seconds: float) -> Answer:
    def number(name: str) -> Any:
        values = result.as_numpy(name)
        return values.reshape(-1)[0].item() if values is not None else 0  # nanoseconds since 1970 fit into no float

    arrival, scheduled, last = (number(name) for name in TIMES)
    drafted, accepted, rate = (number(name) for name in COUNTS)
    length = number("sequence_length")
    return Answer(
        ids=tuple(result.as_numpy("output_ids").reshape(-1)[:length].tolist()),
        seconds=seconds,
        queue_seconds=(scheduled - arrival) / 1e9,
        server_seconds=(last - arrival) / 1e9,
        drafted=drafted,
        accepted=accepted,
        acceptance_rate=float(rate),
    )


def _tensor(name: str, values: "np.ndarray[Any, Any]") -> InferInput:
    tensor = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values)
    return tensor
