"""Health of an engine by a canary inference, unless tokens of other requests prove its life anyway."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Callable

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest, KnownAnswer
from querygist.errors import EngineUnavailable

CANARY_SECONDS = 5.0
"""How long an engine may be silent towards a canary, which waits behind the prompts that came before it."""

FRESH_SECONDS = 1.0
"""An answer, or a token for another request, proves for so long what the next canary would."""


class Canary:
    """Has an engine `generate` the answer that it is known to give. For one event loop.

    Tokens of other requests prove that the engine lives, not that it is right: they count from the first right answer
    on, and not after a wrong one. `patience` in seconds, CANARY_SECONDS unless given: an engine that others use as well
    may have their prompts to do.
    """

    def __init__(
        self,
        generate: Callable[[GenerationRequest], AsyncGenerator[Chunk, None]],
        known: KnownAnswer,
        *,
        patience: float | None = None,
    ) -> None:
        self._generate = generate
        self._known = known
        self._patience = patience
        self._numbers = itertools.count()
        self._right = False  # its last answer was
        self._generation = 0
        self._token = asyncio.Event()
        self._last_success: float | None = None
        self._running: asyncio.Task[None] | None = None

    def record_success(self) -> None:
        """A token has come, for whomever."""
        self._last_success = time.monotonic()
        if self._right:
            self._token.set()

    def reset(self) -> None:
        """The engine has ended: what was heard of it proves nothing any more."""
        self._last_success, self._right = None, False
        self._generation += 1

    async def check(self) -> None:
        """Raises EngineUnavailable with the reason when the engine is silent or wrong. Any number of callers share one
        canary.
        """
        if self._right and self._last_success and time.monotonic() - self._last_success < FRESH_SECONDS:
            return
        generation = self._generation
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        await asyncio.shield(self._running)
        self._require(generation)

    async def close(self) -> None:
        """End a canary that is out."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        """Have the answer generated, or see that a token is generated for somebody else meanwhile.

        A canary may wait where nobody will ever answer it, at a model process that has just died, while the next one
        would be told so: another is sent after it every CANARY_SECONDS.
        """
        generation = self._generation
        patience = self._patience or CANARY_SECONDS
        ends = time.monotonic() + patience
        self._token.clear()
        waiting: set[asyncio.Future[object]] = {asyncio.ensure_future(self._token.wait())}
        try:
            while (left := ends - time.monotonic()) > 0:
                waiting.add(asyncio.ensure_future(self._ask(Deadline.after(2 * patience))))
                done, _ = await asyncio.wait(
                    waiting, timeout=min(CANARY_SECONDS, left), return_when=asyncio.FIRST_COMPLETED
                )
                for one in done:
                    one.result()
                if done:
                    self._require(generation)
                    return
            raise EngineUnavailable(f"The engine has been silent for {patience:g} s.", retry_after=5)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _ask(self, deadline: Deadline) -> None:
        """Send one canary. Raises EngineUnavailable when it is answered wrongly."""
        known, generation = self._known, self._generation
        name = f"canary-{next(self._numbers)}"
        request = GenerationRequest(known.prompt, max(1, len(known.answer)), deadline, name)
        async with contextlib.aclosing(self._generate(request)) as chunks:
            ids = tuple([id_ async for chunk in chunks for id_ in chunk.ids])
        self._require(generation)
        self._right = not known.answer or ids == known.answer
        if not self._right:
            raise EngineUnavailable(
                "The engine does not give the answer that its model is known to give: its weights are damaged, or this "
                "machine computes wrongly. Build the model anew.",
                retry_after=30,
            )
        self._last_success = time.monotonic()

    def _require(self, generation: int) -> None:
        """Raise EngineUnavailable if the engine has ended since: an answer of the one before proves nothing."""
        if generation != self._generation:
            raise EngineUnavailable(
                "The engine ended while a canary was out. Try again in a few seconds.", retry_after=1
            )
