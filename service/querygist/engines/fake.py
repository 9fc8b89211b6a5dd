"""An engine without weights, for tests: deterministic, with scripted latency and failures."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest, Identity, Status
from querygist.errors import DeadlineExceeded, EngineUnavailable


@dataclass
class FakeEngine:
    """Replies to a prompt with `reply(ids)`, `per_chunk` ids at a time.

    A chunk takes `pass_seconds`, however many requests there are. `gate`, when given, is awaited before every chunk
    instead, so that a test decides when the engine moves on.
    `fail_after` chunks it dies: that request and all later ones raise EngineUnavailable until `failing` is reset.
    """

    identity: Identity
    reply: Callable[[Sequence[int]], Sequence[int]]
    per_chunk: int = 3
    pass_seconds: float = 0.0
    gate: asyncio.Semaphore | None = None
    fail_after: int | None = None
    failing: bool = False
    running: set[str] = field(default_factory=set)
    calls: int = 0
    cancelled: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to stop."""

    def status(self) -> Status:
        """No servers."""
        return Status()

    async def ready(self) -> None:
        """Fails while `failing`."""
        if self.failing:
            raise EngineUnavailable("The fake engine was told to fail.")

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """See `Engine.generate`."""
        await self.ready()
        self.calls += 1
        self.running.add(request.request_id)
        await self._tell()
        reply = tuple(self.reply(request.ids))
        ids_left, finished = reply[: request.max_new_tokens], False
        try:
            for number, start in enumerate(range(0, max(1, len(ids_left)), self.per_chunk)):
                if number == self.fail_after:
                    self.failing = True
                    raise EngineUnavailable("The fake engine died while it worked on this request.")
                await self._pass(request.deadline)
                new = ids_left[start : start + self.per_chunk]
                last = start + self.per_chunk >= len(ids_left)
                reason = ("length" if len(reply) > request.max_new_tokens else "stop") if last else None
                finished = last
                yield Chunk(new, self.per_chunk - 1, max(0, len(new) - 1), len(self.running), reason)
        finally:
            self.running.discard(request.request_id)
            self.cancelled += not finished and not self.failing
            with contextlib.suppress(asyncio.CancelledError):
                await self._tell()

    async def until(self, condition: Callable[["FakeEngine"], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever a request starts or ends."""
        async with self.changed:
            await self.changed.wait_for(lambda: condition(self))

    async def _pass(self, deadline: Deadline) -> None:
        if self.gate is None:
            await asyncio.sleep(self.pass_seconds)
            return
        try:
            async with asyncio.timeout(max(0.0, deadline.remaining())):
                await self.gate.acquire()
        except TimeoutError:
            raise DeadlineExceeded("The deadline passed in the fake engine.") from None

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()
