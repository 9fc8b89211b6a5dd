"""The default engine: OpenVINO GenAI in a process of its own, supervised.

Its own process, because a forward pass holds the GIL and the gateway's event loop must not wait for it. If the process
dies or falls silent it is started again, and the requests it held end with EngineUnavailable. Before that happens to a
silent one, a canary has failed: from then on until the next one succeeds requests fail at once.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog

from querygist.engines.base import Chunk, GenerationRequest, Identity, KnownAnswer, Status
from querygist.engines.canary import Canary
from querygist.engines.openvino.options import EngineOptions
from querygist.errors import DeadlineExceeded, EngineUnavailable, ServiceError
from querygist.worker.process import as_line
from querygist.worker.supervised import SupervisedWorker

WORKER = (sys.executable, "-m", "querygist.engines.openvino.worker")

WATCH_SECONDS = 1.0
"""Between two looks whether the worker is silent."""

_UNPROVEN = EngineUnavailable("The engine has not answered a canary yet. Try again in a few seconds.", retry_after=1)

log = structlog.get_logger("querygist.engine")

_Chunks = asyncio.Queue[Chunk | EngineUnavailable]


class EmbeddedEngine:
    """One worker process and the requests it holds. For one event loop."""

    def __init__(
        self,
        identity: Identity,
        options: EngineOptions,
        *,
        stall_seconds: float,
        known: KnownAnswer | None = None,
        worker: Sequence[str] = WORKER,
    ) -> None:
        """`known` is what the canary asks; None: for any token. `stall_seconds`: the silence that ends a worker."""
        self.identity = identity
        self._last_error: EngineUnavailable | None = _UNPROVEN
        self._held: set[_Chunks] = set()
        self._canary = Canary(partial(self._stream, is_canary=True), known or KnownAnswer((identity.end_id,)))
        self._worker = SupervisedWorker(
            "engine",
            worker,
            asdict(options),
            model=str(options.model),
            stall_seconds=stall_seconds,
            lost=self._lost,
        )
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of a worker that has loaded, while there is one."""
        return self._worker.pid

    async def start(self) -> None:
        """Start the worker in the background; requests raise EngineUnavailable until it has answered a canary."""
        self._worker.start()
        self._watcher = asyncio.create_task(self._watch())

    def status(self) -> Status:
        """See `Engine.status`: no servers."""
        return Status()

    async def close(self) -> None:
        """End the worker."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._canary.close()
        await self._worker.close()

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`."""
        return self._stream(request, is_canary=False)

    async def ready(self) -> None:
        """See `Engine.ready`."""
        try:
            await self._canary.check()
        except EngineUnavailable as error:
            self._fail(error)
            raise
        if self._last_error not in (None, _UNPROVEN):
            log.info("engine_recovered")
        self._last_error = None

    async def _watch(self) -> None:
        """Send canaries while the engine is not well, or has work: one that is idle and well is left alone."""
        while True:
            await self._worker.loaded.wait()
            if self._last_error is not None or self._held:
                try:
                    await self.ready()
                except ServiceError:
                    pass
                except Exception as error:  # the watch itself must not end
                    log.error("engine_watch_failed", exc_info=error)
            await asyncio.sleep(WATCH_SECONDS)

    def _fail(self, error: EngineUnavailable) -> None:
        """Refuse requests for this reason, those in hand as well, until a canary succeeds."""
        if self._worker.pid is None:
            return  # it is loading, which the worker's state tells
        if self._last_error is None or self._last_error.detail != error.detail:
            log.error("engine_failed", reason=error.detail, requests_held=len(self._held))
        self._last_error = error
        for chunks in self._held:
            chunks.put_nowait(error.copy())

    def _lost(self) -> None:
        self._canary.reset()
        self._last_error = _UNPROVEN

    async def _stream(self, request: GenerationRequest, *, is_canary: bool) -> AsyncGenerator[Chunk, None]:
        if self._worker.pid is None:
            raise EngineUnavailable(f"The engine is {self._worker.state}. Try again in a few seconds.", retry_after=5)
        if self._last_error is not None and not is_canary:
            raise self._last_error.copy()
        key, chunks = request.request_id, _Chunks()
        line = as_line({"submit": key, "ids": list(request.ids), "max_new_tokens": request.max_new_tokens})
        self._worker.submit(key, line, partial(self._receive, chunks, is_canary))
        if not is_canary:
            self._held.add(chunks)
        try:
            finished = False
            while not finished:
                try:
                    async with asyncio.timeout(max(0.0, request.deadline.remaining())):
                        chunk = await chunks.get()
                except TimeoutError:
                    raise DeadlineExceeded("The deadline passed while the model was writing.") from None
                if isinstance(chunk, EngineUnavailable):
                    raise chunk
                finished = chunk.finished is not None
                yield chunk
        finally:
            self._held.discard(chunks)
            self._worker.release(key)

    def _receive(self, chunks: _Chunks, is_canary: bool, message: dict[str, Any] | None) -> None:
        """Put what the worker says of a request to its chunks."""
        if message is None:
            chunks.put_nowait(
                EngineUnavailable("The engine stopped while it worked on this request. Try again.", retry_after=5)
            )
            return
        if error := message.pop("error"):
            chunks.put_nowait(EngineUnavailable(f"The engine could not run this request: {error}.", retry_after=1))
            return
        chunk = Chunk(**(message | {"ids": tuple(message["ids"])}))
        if chunk.ids or chunk.finished:
            if not is_canary:
                self._canary.record_success()
            chunks.put_nowait(chunk)
