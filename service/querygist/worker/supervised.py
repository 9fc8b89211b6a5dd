"""One worker process under supervision: started again whenever it ends, killed when it falls silent.

A worker says {"loaded": true} when it can work, then messages that each name the request they are for: {"key": ...}.
One with `finished` false or null is not its request's last, unless it has an `error`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from querygist.worker.process import WorkerProcess, as_line, running

LOAD_SECONDS = 300.0
"""A worker that takes longer to load hangs."""

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 10.0

Sink = Callable[[dict[str, Any] | None], None]
"""Takes a request's messages, without their key; None: the worker has ended."""


class SupervisedWorker:
    """A worker process and the requests it holds. For one event loop.

    `kind` begins the names of log events: KIND_loading, _loaded, _died, _stalled, _failed_to_load; `model` is logged.
    `stall_seconds`: the silence after which a worker that owes an answer is killed. `lost` is called before the sinks
    when a worker has ended.
    """

    def __init__(
        self,
        kind: str,
        command: Sequence[str],
        options: Mapping[str, Any],
        *,
        model: str,
        stall_seconds: float,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.state = "not started"
        self.loaded = asyncio.Event()  # set while there is a worker that has loaded
        self._kind = kind
        self._log = structlog.get_logger(f"querygist.{kind}")
        self._command = command
        self._options = options
        self._model = model
        self._stall_seconds = stall_seconds
        self._lost = lost
        self._loaded: WorkerProcess | None = None
        self._sinks: dict[str, Sink] = {}
        self._outstanding: set[str] = set()  # sent to the worker, and not yet ended by its word
        self._last_message = 0.0
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of a worker that has loaded, while there is one."""
        return self._loaded.pid if self._loaded else None

    def start(self) -> None:
        """Start the worker in the background."""
        self.state = "loading"
        self._supervisor = asyncio.create_task(self._supervise())

    async def close(self) -> None:
        """End the worker."""
        if self._supervisor:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor

    def submit(self, key: str, line: bytes, sink: Sink) -> None:
        """Send a request, which `key` names among those in flight. Raises RuntimeError while no worker has loaded."""
        if self._loaded is None:
            raise RuntimeError(f"the {self._kind} is {self.state}")
        if not self._outstanding:
            self._last_message = time.monotonic()  # silence counts from the moment there is something to say
        self._sinks[key] = sink
        self._outstanding.add(key)
        self._loaded.send(line)

    def release(self, key: str) -> None:
        """Forget a request: its sink hears nothing more, and the worker is told to stop if it still works on it."""
        del self._sinks[key]
        if self._loaded and key in self._outstanding:
            self._loaded.send(as_line({"cancel": key}))

    async def _supervise(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            started = time.monotonic()
            try:
                async with running(self._command, self._options) as worker:
                    await self._serve(worker)
            except Exception as error:  # supervision itself must not end
                self._log.error(f"{self._kind}_supervision_failed", exc_info=error)
            if time.monotonic() - started > LAST_BACKOFF:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _serve(self, worker: WorkerProcess) -> None:
        """Hand on what one worker says, until it ends."""
        self._log.info(f"{self._kind}_loading", pid=worker.pid, model=self._model)
        started = time.monotonic()
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                loaded = await worker.receive()
        except TimeoutError:
            loaded = None
            worker.kill()
        if loaded is None:
            self._log.error(f"{self._kind}_failed_to_load", exit_code=await worker.exit_code())
            return
        self._log.info(f"{self._kind}_loaded", pid=worker.pid, seconds=round(time.monotonic() - started, 2))
        self._loaded, self.state = worker, "restarting after a failure"
        self.loaded.set()
        watchdog = asyncio.create_task(self._watch(worker))
        try:
            while (message := await worker.receive()) is not None:
                self._receive(message)
            lost = len(self._sinks)
            self._log.error(f"{self._kind}_died", exit_code=await worker.exit_code(), requests_lost=lost)
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
                self._log.error(f"{self._kind}_stalled", silent_seconds=round(silent, 1), pid=worker.pid)
                worker.kill()

    def _fail_pending(self) -> None:
        """Tell the requests that the worker held."""
        self._loaded = None
        self.loaded.clear()
        self._outstanding.clear()
        self._lost()
        for sink in self._sinks.values():
            sink(None)

    def _receive(self, message: dict[str, Any]) -> None:
        key = message.pop("key")
        self._last_message = time.monotonic()
        if message.get("finished", True) or message.get("error"):
            self._outstanding.discard(key)
        if (sink := self._sinks.get(key)) is not None:  # else it was cancelled meanwhile
            sink(message)
