"""One Triton server, as the gateway sees it: connected or not, well or not."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

import structlog
from tritonclient.grpc.aio import InferenceServerClient

from querygist.engines.base import Chunk, GenerationRequest, Identity, KnownAnswer
from querygist.engines.canary import Canary
from querygist.engines.triton import protocol as wire
from querygist.engines.triton.failures import Failure
from querygist.engines.triton.identity import CONNECT_SECONDS, Served
from querygist.engines.triton.streams import Streams
from querygist.errors import ArtifactError, EngineUnavailable, Overloaded, ServiceError

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

    def __init__(
        self, address: str, expected: Identity, *, plain: bool, stall_seconds: float, known: KnownAnswer | None = None
    ) -> None:
        """`plain`: decode without lookahead. `stall_seconds`: longest silence between two tokens of a stream.

        `known` is what the canary asks; None: for any token.
        """
        self.address = address
        self.load = 0
        self.last_error: EngineUnavailable | None = EngineUnavailable(
            f"The gateway has not yet reached Triton at {address}.", retry_after=5
        )
        self._expected = expected
        self._plain = plain
        self._served: Served | None = None  # as last told
        self._streams = Streams(address, end_id=expected.end_id, stall_seconds=stall_seconds, failed=self._failed)
        self._canary = Canary(self._stream, known or KnownAnswer((expected.end_id,)), patience=stall_seconds)
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
        self.last_error = EngineUnavailable("The gateway is shutting down.", retry_after=1)
        self._give_up()
        await self._streams.drained(CONNECT_SECONDS)
        await self._client.close()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`; also raises Overloaded when Triton's queue is full."""
        if self.last_error is not None:
            raise self.last_error.copy()
        self.load += 1
        try:
            async with contextlib.aclosing(self._stream(request)) as chunks:
                async for chunk in chunks:
                    self._canary.record_success()
                    yield chunk
        finally:
            self.load -= 1

    def _stream(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        if self._client is None or self._served is None:
            raise RuntimeError("start() comes first, and the server's identity")
        return self._streams.run(self._client, request, lookahead=self._served.decoding(plain=self._plain))

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.error, EngineUnavailable) and failure.endpoint_failed:
            self._set_aside(failure.error)
            if failure.holds_on:
                self._give_up()

    def _set_aside(self, last_error: EngineUnavailable) -> None:
        """Send nothing there until a canary succeeds. What it holds may still be answered."""
        if self.last_error is None:
            log.error("triton_endpoint_down", address=self.address, reason=last_error.detail, requests_held=self.load)
        self.last_error, self._identified = last_error, None
        self._canary.reset()

    def _give_up(self) -> None:
        """End what it holds: a server never tells the streams of a model process that died."""
        if self.last_error is not None:
            self._streams.give_up(self.last_error)

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
        if self.last_error is not None and self._identified is not None:  # it may have failed again meanwhile
            log.info("triton_endpoint_up", address=self.address)
            self.last_error = None

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
