"""One Triton server, as the gateway sees it: connected or not, well or not, and the requests it holds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc
import structlog
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from service.deadline import Deadline
from service.engines import triton_wire as wire
from service.engines.base import Chunk, Identity
from service.engines.canary import Canary
from service.engines.triton_errors import classify
from service.engines.triton_identity import CONNECT_SECONDS, Served
from service.errors import ArtifactError, DeadlineExceeded, EngineUnavailable, Overloaded, ServiceError

PROBE_SECONDS = 1.0
"""Between two looks at a server."""

IDENTIFY_SECONDS = 60.0
"""Between two questions which model it serves: a model can be replaced while the server runs."""

CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # gRPC's default would wait up to two minutes for a restarted server
    ("grpc.use_local_subchannel_pool", 1),
]

log = structlog.get_logger("querygist.triton")


class Endpoint:
    """`load` counts the requests it holds for this gateway. For one event loop."""

    def __init__(self, address: str, expected: Identity, *, plain: bool, stall_seconds: float) -> None:
        """`plain`: decode without lookahead. `stall_seconds`: longest silence between two tokens of a stream."""
        self.address = address
        self.load = 0
        self.trouble: EngineUnavailable | None = EngineUnavailable(
            f"The gateway has not yet reached Triton at {address}.", retry_after=5
        )
        self._expected = expected
        self._plain = plain
        self._stall_seconds = stall_seconds
        self._served: Served | None = None  # as last told
        self._calls: dict[Any, bool] = {}  # streams under way; True: given up because the server failed
        self._endings: set[asyncio.Task[None]] = set()
        self._canary = Canary(self._ask_canary, patience=stall_seconds)
        self._identified: float | None = None  # when it told so; None: to be asked before it is used again
        self._client: InferenceServerClient | None = None
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect and to watch."""
        self._client = InferenceServerClient(self.address, channel_args=CHANNEL)
        self._watcher = asyncio.create_task(self._watch(self._client))

    async def close(self) -> None:
        """Hang up; requests under way end with EngineUnavailable."""
        if self._watcher is None or self._client is None:
            return
        self._watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watcher
        await self._canary.close()
        self.trouble = EngineUnavailable("The gateway is shutting down.", retry_after=1)
        self._give_up()
        if self._endings:
            await asyncio.wait(self._endings, timeout=CONNECT_SECONDS)
        await self._client.close()

    async def generate(
        self, ids: Sequence[int], *, max_new_tokens: int, deadline: Deadline, request_id: str
    ) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`; also raises Overloaded when Triton's queue is full."""
        if self.trouble is not None:
            raise self._refusal()
        self.load += 1
        try:
            async with contextlib.aclosing(self._stream(ids, max_new_tokens, deadline, request_id)) as chunks:
                async for chunk in chunks:
                    self._canary.heard()
                    yield chunk
        finally:
            self.load -= 1

    async def _stream(
        self, ids: Sequence[int], max_new_tokens: int, deadline: Deadline, request_id: str
    ) -> AsyncGenerator[Chunk, None]:
        """One request on a stream of its own, so that cancelling it cancels nothing else."""
        if self._client is None or self._served is None:
            raise RuntimeError("start() comes first, and the server's identity")
        call = wire.stream(
            self._client,
            ids,
            max_new_tokens=max_new_tokens,
            end_id=self._expected.end_id,
            lookahead=self._served.decoding(plain=self._plain),
            request_id=request_id,
            timeout=max(0.001, deadline.remaining()),
        )
        self._calls[call] = False
        made = drafted = accepted = 0
        patience = deadline.remaining()
        finished = None
        try:
            while finished is None:
                now = await self._next(call, deadline, patience, request_id)
                made += len(now.ids)
                # Triton tells no reason: a request that ended before its length was ended by the end id.
                finished = ("length" if made >= max_new_tokens else "stop") if now.final else None
                yield Chunk(now.ids, now.drafted - drafted, now.accepted - accepted, 0, finished)
                drafted, accepted, patience = now.drafted, now.accepted, self._stall_seconds
        finally:
            del self._calls[call]
            if finished is None:
                call.cancel()
            else:
                self._see_off(call)

    def _see_off(self, call: Any) -> None:
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

    async def _next(self, call: Any, deadline: Deadline, patience: float, request_id: str) -> wire.Pass:
        try:
            async with asyncio.timeout(max(0.0, min(deadline.remaining(), patience))):
                result, error = await anext(call)
        except TimeoutError:
            if deadline.remaining() <= 0:
                raise DeadlineExceeded("The deadline passed while the model was writing.") from None
            raise EngineUnavailable(
                f"Triton at {self.address} fell silent for {patience:g} s.", retry_after=5
            ) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._calls[call] and self.trouble is not None and not (task and task.cancelling()):
                raise self._refusal() from None
            raise
        except StopAsyncIteration:
            raise EngineUnavailable(f"Triton at {self.address} ended the stream early.", retry_after=1) from None
        except grpc.RpcError as failed:
            raise self._classified(failed, request_id) from None
        if error is not None:
            raise self._classified(error, request_id)
        return wire.read(result)

    def _classified(self, failed: grpc.RpcError | InferenceServerException, request_id: str) -> ServiceError:
        failure = classify(failed, self.address)
        log.warning("triton_call_failed", address=self.address, request_id=request_id, reason=failure.error.detail)
        if isinstance(failure.error, EngineUnavailable) and failure.endpoint_failed:
            self._set_aside(failure.error)
            if failure.holds_on:
                self._give_up()
        return failure.error

    def _refusal(self) -> EngineUnavailable:
        """What is wrong, as an exception of its own: one that is raised again and again keeps every frame it passed."""
        trouble = self.trouble or EngineUnavailable(f"The gateway has not yet reached Triton at {self.address}.")
        return EngineUnavailable(trouble.detail, retry_after=trouble.retry_after)

    def _set_aside(self, trouble: EngineUnavailable) -> None:
        """Send nothing there until a canary succeeds. What it holds may still be answered."""
        if self.trouble is None:
            log.error("triton_endpoint_down", address=self.address, reason=trouble.detail, requests_held=self.load)
        self.trouble, self._identified = trouble, None
        self._canary.forget()

    def _give_up(self) -> None:
        """End what it holds: a server never tells the streams of a model process that died."""
        for call in self._calls:
            self._calls[call] = True
            call.cancel()

    async def _watch(self, client: InferenceServerClient) -> None:
        while True:
            try:
                await self._look(client)
            except Overloaded:  # a full queue proves neither that the model lives nor that it does not
                pass
            except ServiceError as error:
                self._set_aside(EngineUnavailable(error.detail, retry_after=error.retry_after))
            except ArtifactError as error:
                self._set_aside(EngineUnavailable(error.detail, retry_after=30))
            except Exception as error:  # the watch itself must not end
                log.error("triton_watch_failed", address=self.address, exc_info=error)
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self, client: InferenceServerClient) -> None:
        """Find the server well, or raise what is wrong with it."""
        if self._identified is None or time.monotonic() - self._identified > IDENTIFY_SECONDS:
            await self._identify(client)
        await self._canary.check()
        if self.trouble is not None and self._identified is not None:  # it may have failed again meanwhile
            log.info("triton_endpoint_up", address=self.address)
            self.trouble = None

    async def _identify(self, client: InferenceServerClient) -> None:
        """Ask which model it serves. A server that did answer this once may be too busy to: the canary judges that."""
        try:
            answer = await client.get_model_config(wire.MODEL, client_timeout=CONNECT_SECONDS)
        except wire.ERRORS as error:
            if self._identified is None:
                raise EngineUnavailable(
                    f"Triton at {self.address} does not answer ({wire.status_of(error)}).", retry_after=5
                ) from None
            return
        self._served = Served.of(answer.config, self._expected, self.address)
        self._identified = time.monotonic()

    def _ask_canary(self, deadline: Deadline, request_id: str) -> AsyncGenerator[Chunk, None]:
        return self._stream([self._expected.end_id], 1, deadline, request_id)
