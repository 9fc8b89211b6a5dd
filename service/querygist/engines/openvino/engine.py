"""The default engine: OpenVINO GenAI in a process of its own, supervised.

Its own process, because a forward pass holds the GIL and the gateway's event loop must not wait for it. If the process
dies or falls silent it is started again, and the requests it held end with EngineUnavailable.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from querygist.engines.base import Chunk, GenerationRequest, Identity, Status
from querygist.engines.canary import Canary
from querygist.engines.openvino.options import EngineOptions
from querygist.errors import DeadlineExceeded, EngineUnavailable
from querygist.worker.process import as_line
from querygist.worker.supervised import SupervisedWorker

WORKER = (sys.executable, "-m", "querygist.engines.openvino.worker")

_Chunks = asyncio.Queue[Chunk | EngineUnavailable]


class EmbeddedEngine:
    """One worker process and the requests it holds. For one event loop."""

    def __init__(
        self, identity: Identity, options: EngineOptions, *, stall_seconds: float, worker: Sequence[str] = WORKER
    ) -> None:
        self.identity = identity
        self._canary = Canary(self.generate, [identity.end_id])
        self._worker = SupervisedWorker(
            "engine",
            worker,
            asdict(options),
            model=str(options.model),
            stall_seconds=stall_seconds,
            lost=self._canary.reset,
        )

    @property
    def pid(self) -> int | None:
        """The process id of a worker that has loaded, while there is one."""
        return self._worker.pid

    async def start(self) -> None:
        """Start the worker in the background; requests raise EngineUnavailable until it has loaded."""
        self._worker.start()

    def status(self) -> Status:
        """See `Engine.status`: no servers."""
        return Status()

    async def close(self) -> None:
        """End the worker."""
        await self._worker.close()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`."""
        if self._worker.pid is None:
            raise EngineUnavailable(f"The engine is {self._worker.state}. Try again in a few seconds.", retry_after=5)
        key, chunks = request.request_id, _Chunks()
        line = as_line({"submit": key, "ids": list(request.ids), "max_new_tokens": request.max_new_tokens})
        self._worker.submit(key, line, partial(self._receive, chunks))
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
            self._worker.release(key)

    async def ready(self) -> None:
        """See `Engine.ready`."""
        await self._canary.check()

    def _receive(self, chunks: _Chunks, message: dict[str, Any] | None) -> None:
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
            self._canary.record_success()
            chunks.put_nowait(chunk)
