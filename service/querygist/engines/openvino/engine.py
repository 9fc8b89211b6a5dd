"""The default engine: OpenVINO GenAI in a process of its own, supervised.

Its own process, because a forward pass holds the GIL and the gateway's event loop must not wait for it. If the process
dies or falls silent it is started again, and the requests it held end with EngineUnavailable.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import structlog

from querygist.engines.base import Chunk, GenerationRequest, Identity, Status
from querygist.engines.canary import Canary
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.worker_process import WORKER, WorkerProcess, running
from querygist.errors import DeadlineExceeded, EngineUnavailable

LOAD_SECONDS = 300.0
"""A worker that takes longer to load hangs."""

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 10.0

log = structlog.get_logger("querygist.engine")


class EmbeddedEngine:
    """One worker process and the requests it holds. For one event loop."""

    def __init__(
        self, identity: Identity, options: EngineOptions, *, stall_seconds: float, worker: Sequence[str] = WORKER
    ) -> None:
        self.identity = identity
        self._options = options
        self._stall_seconds = stall_seconds
        self._command = worker
        self._loaded: WorkerProcess | None = None
        self._requests: dict[str, asyncio.Queue[Chunk | EngineUnavailable]] = {}
        self._outstanding: set[str] = set()  # sent to the worker, and not yet ended by its word
        self._last_message = 0.0
        self._supervisor: asyncio.Task[None] | None = None
        self._state = "not started"
        self._canary = Canary(self.generate, [identity.end_id])

    @property
    def pid(self) -> int | None:
        """The process id of a worker that has loaded, while there is one."""
        return self._loaded.pid if self._loaded else None

    async def start(self) -> None:
        """Start the worker in the background; requests raise EngineUnavailable until it has loaded."""
        self._state = "loading"
        self._supervisor = asyncio.create_task(self._supervise())

    def status(self) -> Status:
        """See `Engine.status`: no servers."""
        return Status()

    async def close(self) -> None:
        """End the worker."""
        if self._supervisor:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`."""
        worker = self._loaded
        if worker is None:
            raise EngineUnavailable(f"The engine is {self._state}. Try again in a few seconds.", retry_after=5)
        chunks: asyncio.Queue[Chunk | EngineUnavailable] = asyncio.Queue()
        self._requests[request.request_id] = chunks
        finished = False
        if not self._outstanding:
            self._last_message = time.monotonic()  # silence counts from the moment there is something to say
        self._outstanding.add(request.request_id)
        worker.send({"submit": request.request_id, "ids": list(request.ids), "max_new_tokens": request.max_new_tokens})
        try:
            while not finished:
                try:
                    async with asyncio.timeout(max(0.0, request.deadline.remaining())):
                        chunk = await chunks.get()
                except TimeoutError:
                    raise DeadlineExceeded("The deadline passed while the model was writing.") from None
                if isinstance(chunk, EngineUnavailable):
                    finished = True
                    raise chunk
                finished = chunk.finished is not None
                yield chunk
        finally:
            del self._requests[request.request_id]
            if not finished:
                worker.send({"cancel": request.request_id})

    async def ready(self) -> None:
        """See `Engine.ready`."""
        await self._canary.check()

    async def _supervise(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            started = time.monotonic()
            try:
                async with running(self._command, self._options) as worker:
                    await self._serve(worker)
            except Exception as error:  # supervision itself must not end
                log.error("engine_supervision_failed", exc_info=error)
            if time.monotonic() - started > LAST_BACKOFF:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _serve(self, worker: WorkerProcess) -> None:
        """Hand on what one worker says, until it ends."""
        log.info("engine_loading", pid=worker.pid, model=str(self._options.model))
        started = time.monotonic()
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                loaded = await worker.receive()
        except TimeoutError:
            loaded = None
            worker.kill()
        if loaded is None:
            log.error("engine_failed_to_load", exit_code=await worker.exit_code())
            return
        log.info("engine_loaded", pid=worker.pid, seconds=round(time.monotonic() - started, 2))
        self._loaded, self._state = worker, "restarting after a failure"
        watchdog = asyncio.create_task(self._watch(worker))
        try:
            while (message := await worker.receive()) is not None:
                self._receive(message)
            log.error("engine_died", exit_code=await worker.exit_code(), requests_lost=len(self._requests))
        finally:
            watchdog.cancel()
            self._fail_pending()

    async def _watch(self, worker: WorkerProcess) -> None:
        """Kill a worker that owes an answer and says nothing: its death is then noticed like any other.

        It owes one also when whoever asked has left: a cancelled request is answered too.
        """
        while True:
            await asyncio.sleep(self._stall_seconds / 4)
            silent = time.monotonic() - self._last_message
            if self._outstanding and silent > self._stall_seconds:
                log.error("engine_stalled", silent_seconds=round(silent, 1), pid=worker.pid)
                worker.kill()

    def _fail_pending(self) -> None:
        """Tell the requests that the worker held."""
        self._loaded = None
        self._canary.reset()
        self._outstanding.clear()
        for chunks in self._requests.values():
            chunks.put_nowait(
                EngineUnavailable("The engine stopped while it worked on this request. Try again.", retry_after=5)
            )

    def _receive(self, message: dict[str, Any]) -> None:
        key, error = message.pop("key"), message.pop("error")
        self._last_message = time.monotonic()
        if message["finished"] or error:
            self._outstanding.discard(key)
        chunks = self._requests.get(key)
        if chunks is None:  # cancelled meanwhile
            return
        if error:
            chunks.put_nowait(EngineUnavailable(f"The engine could not run this request: {error}.", retry_after=1))
            return
        chunk = Chunk(**(message | {"ids": tuple(message["ids"])}))
        if chunk.ids or chunk.finished:
            self._canary.record_success()
            chunks.put_nowait(chunk)
