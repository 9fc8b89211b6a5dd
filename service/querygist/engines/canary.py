"""Liveness of an engine by a canary inference, unless tokens of other requests prove it anyway."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest
from querygist.errors import EngineUnavailable

CANARY_SECONDS = 5.0
"""How long an engine may be silent towards a canary, which waits behind the prompts that came before it."""

FRESH_SECONDS = 1.0
"""A token generated this recently proves the engine as well as a canary would."""


class Canary:
    """Has an engine `generate` one token after `prompt`. For one event loop.

    `patience` in seconds, CANARY_SECONDS unless given: an engine that others use as well may have their prompts to do.
    """

    def __init__(
        self,
        generate: Callable[[GenerationRequest], AsyncGenerator[Chunk, None]],
        prompt: Sequence[int],
        *,
        patience: float | None = None,
    ) -> None:
        self._generate = generate
        self._prompt = prompt
        self._patience = patience
        self._numbers = itertools.count()
        self._token = asyncio.Event()
        self._last_success: float | None = None
        self._running: asyncio.Task[None] | None = None

    def record_success(self) -> None:
        """A token has come, for whomever."""
        self._last_success = time.monotonic()
        self._token.set()

    def reset(self) -> None:
        """The engine has ended: what was heard of it proves nothing any more."""
        self._last_success = None

    async def check(self) -> None:
        """Raises EngineUnavailable with the reason when the engine makes no token. Any number of callers share one."""
        if self._last_success is not None and time.monotonic() - self._last_success < FRESH_SECONDS:
            return
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        await asyncio.shield(self._running)

    async def close(self) -> None:
        """End a canary that is out."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        """Have a token generated, or see that one is generated for somebody else meanwhile.

        A canary may wait where nobody will ever answer it, at a model process that has just died, while the next one
        would be told so: another is sent after it every CANARY_SECONDS.
        """
        patience = self._patience or CANARY_SECONDS
        ends = time.monotonic() + patience
        self._token.clear()
        canaries: list[AsyncGenerator[Chunk, None]] = []
        waiting: set[asyncio.Future[object]] = {asyncio.ensure_future(self._token.wait())}
        try:
            while (left := ends - time.monotonic()) > 0:
                name = f"canary-{next(self._numbers)}"
                request = GenerationRequest(self._prompt, 1, Deadline.after(2 * patience), name)
                canaries.append(self._generate(request))
                waiting.add(asyncio.ensure_future(anext(canaries[-1])))
                done, _ = await asyncio.wait(
                    waiting, timeout=min(CANARY_SECONDS, left), return_when=asyncio.FIRST_COMPLETED
                )
                for one in done:
                    one.result()
                if done:
                    return
            raise EngineUnavailable(f"The engine has been silent for {patience:g} s.", retry_after=5)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            for canary in canaries:
                await canary.aclose()
