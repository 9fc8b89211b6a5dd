"""The streams under way to one Triton server: one for each request, so that cancelling it cancels nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import grpc
import structlog
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from querygist.engines.base import Chunk, GenerationRequest
from querygist.engines.triton import protocol as wire
from querygist.engines.triton.failures import Failure, classify
from querygist.errors import DeadlineExceeded, EngineUnavailable, ServiceError

log = structlog.get_logger("querygist.triton")


class Streams:
    """For one event loop."""

    def __init__(self, address: str, *, end_id: int, stall_seconds: float, failed: Callable[[Failure], None]) -> None:
        """`stall_seconds`: longest silence between two tokens of a stream. `failed` hears of a failure of Triton's
        before the request does.
        """
        self._address = address
        self._end_id = end_id
        self._stall_seconds = stall_seconds
        self._failed = failed
        self._given_up: dict[Any, EngineUnavailable | None] = {}  # every stream under way; why, if it was given up
        self._endings: set[asyncio.Task[None]] = set()

    async def run(
        self,
        client: InferenceServerClient,
        request: GenerationRequest,
        *,
        lookahead: tuple[int, int, int] | None,
    ) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`; also raises Overloaded when Triton's queue is full."""
        call = wire.stream(client, request, end_id=self._end_id, lookahead=lookahead)
        self._given_up[call] = None
        made = drafted = accepted = 0
        patience = request.deadline.remaining()
        finished = None
        try:
            while finished is None:
                now = await self._next(call, request, patience)
                made += len(now.ids)
                # Triton tells no reason: a request that ended before its length was ended by the end id.
                finished = ("length" if made >= request.max_new_tokens else "stop") if now.final else None
                yield Chunk(now.ids, now.drafted - drafted, now.accepted - accepted, 0, finished)
                drafted, accepted, patience = now.drafted, now.accepted, self._stall_seconds
        finally:
            del self._given_up[call]
            if finished is None:
                call.cancel()
            else:
                self._drain(call)

    def give_up(self, reason: EngineUnavailable) -> None:
        """End all of them with `reason`."""
        for call in self._given_up:
            self._given_up[call] = reason
            call.cancel()

    async def drained(self, seconds: float) -> None:
        """Wait until those that have answered are over, at most so many `seconds`."""
        if self._endings:
            await asyncio.wait(self._endings, timeout=seconds)

    def _drain(self, call: Any) -> None:
        """Let a stream end by itself whose last response has come, and nobody wait for it.

        Cancelled in that moment, it may keep Triton 2.51 from unloading the model (2 of 6 stops, measured).
        """

        async def until_over() -> None:
            with contextlib.suppress(grpc.RpcError):
                async for _ in call:
                    pass

        ending = asyncio.create_task(until_over())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _next(self, call: Any, request: GenerationRequest, patience: float) -> wire.Pass:
        try:
            async with asyncio.timeout(max(0.0, min(request.deadline.remaining(), patience))):
                result, error = await anext(call)
        except TimeoutError:
            if request.deadline.remaining() <= 0:
                raise DeadlineExceeded("The deadline passed while the model was writing.") from None
            raise EngineUnavailable(
                f"Triton at {self._address} fell silent for {patience:g} s.", retry_after=5
            ) from None
        except asyncio.CancelledError:
            task, reason = asyncio.current_task(), self._given_up[call]
            if reason is not None and not (task and task.cancelling()):
                raise reason.copy() from None
            raise
        except StopAsyncIteration:
            raise EngineUnavailable(f"Triton at {self._address} ended the stream early.", retry_after=1) from None
        except grpc.RpcError as failed:
            raise self._classified(failed, request.request_id) from None
        if error is not None:
            raise self._classified(error, request.request_id)
        return wire.read(result)

    def _classified(self, failed: grpc.RpcError | InferenceServerException, request_id: str) -> ServiceError:
        failure = classify(failed, self._address)
        log.warning("triton_call_failed", address=self._address, request_id=request_id, reason=failure.error.detail)
        self._failed(failure)
        return failure.error
