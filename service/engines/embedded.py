"""The default engine: OpenVINO GenAI in a process of its own, supervised.

Its own process, because a forward pass holds the GIL and the gateway's event loop must not wait for it. If the process
dies or falls silent it is started again, and the requests it held end with EngineUnavailable.
"""

import asyncio
import contextlib
import itertools
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict

import structlog

from service.deadline import Deadline
from service.engines.base import Chunk, Identity
from service.engines.options import EngineOptions
from service.errors import DeadlineExceeded, EngineUnavailable

CANARY_SECONDS = 5.0
"""How long an engine may be silent towards a canary, which waits behind the prompts that came before it."""

FRESH_SECONDS = 1.0
"""A token generated this recently proves the engine as well as a canary would."""

LOAD_SECONDS = 300.0
"""A worker that takes longer to load hangs."""

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 10.0
LINE_LIMIT = 1 << 20

log = structlog.get_logger("querygist.engine")


class EmbeddedEngine:
    """One worker process and the requests it holds. For one event loop."""

    def __init__(self, identity: Identity, options: EngineOptions, *, stall_seconds: float) -> None:
        self.identity = identity
        self._options = options
        self._stall_seconds = stall_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._requests: dict[str, asyncio.Queue[Chunk | EngineUnavailable]] = {}
        self._outstanding: set[str] = set()  # sent to the worker, and not yet ended by its word
        self._heard = 0.0
        self._generated = 0.0
        self._token = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._state = "not started"
        self._numbers = itertools.count()
        self._canary: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the worker in the background; requests raise EngineUnavailable until it has loaded."""
        self._state = "loading"
        self._supervisor = asyncio.create_task(self._supervise())

    async def close(self) -> None:
        """End the worker."""
        if self._supervisor:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor

    async def generate(
        self, ids: Sequence[int], *, max_new_tokens: int, deadline: Deadline, request_id: str
    ) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`."""
        if self._writer is None:
            raise EngineUnavailable(f"The engine is {self._state}. Try again in a few seconds.", retry_after=5)
        chunks: asyncio.Queue[Chunk | EngineUnavailable] = asyncio.Queue()
        self._requests[request_id] = chunks
        finished = False
        if not self._outstanding:
            self._heard = time.monotonic()  # silence counts from the moment there is something to say
        self._outstanding.add(request_id)
        self._send({"submit": request_id, "ids": list(ids), "max_new_tokens": max_new_tokens})
        try:
            while not finished:
                try:
                    async with asyncio.timeout(max(0.0, deadline.remaining())):
                        chunk = await chunks.get()
                except TimeoutError:
                    raise DeadlineExceeded("The deadline passed while the model was writing.") from None
                if isinstance(chunk, EngineUnavailable):
                    finished = True
                    raise chunk
                finished = chunk.finished is not None
                yield chunk
        finally:
            del self._requests[request_id]
            if not finished:
                self._send({"cancel": request_id})

    async def ready(self) -> None:
        """See `Engine.ready`."""
        if time.monotonic() - self._generated < FRESH_SECONDS:
            return
        if self._canary is None or self._canary.done():  # any number of probes share one canary
            self._canary = asyncio.create_task(self._run_canary())
        await asyncio.shield(self._canary)

    async def _run_canary(self) -> None:
        """Generate a token, or see that one is generated for somebody else meanwhile."""
        self._token.clear()
        canary = self.generate(
            [self.identity.end_id],
            max_new_tokens=1,
            deadline=Deadline.after(2 * CANARY_SECONDS),
            request_id=f"canary-{next(self._numbers)}",
        )
        own = asyncio.ensure_future(anext(canary))
        any_other = asyncio.ensure_future(self._token.wait())
        try:
            await asyncio.wait({own, any_other}, timeout=CANARY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if own.done():
                own.result()
            elif not any_other.done():
                raise EngineUnavailable(f"The engine has been silent for {CANARY_SECONDS:g} s.", retry_after=5)
        finally:
            own.cancel()
            any_other.cancel()
            await asyncio.gather(own, any_other, return_exceptions=True)
            await canary.aclose()

    async def _supervise(self) -> None:
        backoff = FIRST_BACKOFF
        while True:
            started = time.monotonic()
            try:
                await self._run_worker()
            except Exception as error:  # supervision itself must not end
                log.error("engine_supervision_failed", exc_info=error)
            finally:
                await self._bury()
            if time.monotonic() - started > LAST_BACKOFF:
                backoff = FIRST_BACKOFF
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LAST_BACKOFF)

    async def _run_worker(self) -> None:
        ours, theirs = socket.socketpair()
        options = json.dumps(asdict(self._options), default=str)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "service.engines.worker", str(theirs.fileno()), options,
                pass_fds=[theirs.fileno()], start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        log.info("engine_loading", pid=self._process.pid, model=str(self._options.model))
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
        started = time.monotonic()
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                loaded = await _line(reader)
        except TimeoutError:
            loaded = b""
            self._process.kill()
        if not loaded:
            log.error("engine_failed_to_load", exit_code=await self._process.wait())
            writer.close()
            return
        log.info("engine_loaded", pid=self._process.pid, seconds=round(time.monotonic() - started, 2))
        self._writer, self._state = writer, "restarting after a failure"
        watchdog = asyncio.create_task(self._watch())
        try:
            while line := await _line(reader):
                self._receive(json.loads(line))
            log.error("engine_died", exit_code=await self._process.wait(), requests_lost=len(self._requests))
        finally:
            watchdog.cancel()
            writer.close()

    async def _watch(self) -> None:
        """Kill a worker that owes an answer and says nothing: its death is then noticed like any other.

        It owes one also when whoever asked has left: a cancelled request is answered too.
        """
        while True:
            await asyncio.sleep(self._stall_seconds / 4)
            silent = time.monotonic() - self._heard
            if self._outstanding and silent > self._stall_seconds and self._process:
                log.error("engine_stalled", silent_seconds=round(silent, 1), pid=self._process.pid)
                self._process.kill()

    async def _bury(self) -> None:
        """Make sure the worker is gone, and tell the requests it held."""
        self._writer, self._generated = None, 0.0
        self._outstanding.clear()
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = None
        for chunks in self._requests.values():
            chunks.put_nowait(
                EngineUnavailable("The engine stopped while it worked on this request. Try again.", retry_after=5)
            )

    def _send(self, message: dict[str, object]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _receive(self, message: dict[str, object]) -> None:
        key, error = str(message.pop("key")), message.pop("error")
        self._heard = time.monotonic()
        if message["finished"] or error:
            self._outstanding.discard(key)
        chunks = self._requests.get(key)
        if chunks is None:  # cancelled meanwhile
            return
        if error:
            chunks.put_nowait(EngineUnavailable(f"The engine could not run this request: {error}.", retry_after=1))
            return
        chunk = Chunk(**(message | {"ids": tuple(message["ids"])}))  # type: ignore[arg-type]
        if chunk.ids or chunk.finished:
            self._generated = self._heard
            self._token.set()
            chunks.put_nowait(chunk)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next whole line, empty at the end. A worker that is killed with commands unread resets the connection."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return b""
    return line if line.endswith(b"\n") else b""
