"""Work on texts: on the event loop when they are short, in threads when they are not.

Callers share each thread fairly. Work on long texts is admitted by characters: what would be done after its deadline is
refused, and what has been left before its turn is dropped. The longest, of which one piece of work takes a second, have
a thread of their own, and so have those no longer than the beginning that is quoted of a long one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from math import inf
from typing import Any, TypeVar

from querygist.deadline import Deadline, within
from querygist.errors import DeadlineExceeded
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.fair_queue import Caller

T = TypeVar("T")

OFFLOAD_CHARACTERS = 2_000
"""Longer texts are worked on in a thread: milliseconds of regular expressions would hold up every other request, and an
answer takes several turns of the event loop."""

LONG_CHARACTERS = 8_000
"""Work on longer texts is refused when it would be late. A piece of work on this one takes some 10 ms."""

LONGEST_CHARACTERS = 40_000
"""Texts from here on do not hold up those that are shorter."""

_ANY_NUMBER = 1_000_000
_NEVER = Deadline(inf)


class _Lane:
    """A thread, and the queue before it."""

    def __init__(self, name: str, metrics: Metrics, max_waiting: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.admission = Admission(
            "worked on",
            max_in_flight=1,
            max_waiting=max_waiting,
            refused=lambda reason: metrics.sheds.labels(reason).inc(),
        )
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(self, characters: int, work: Callable[[], T], caller: Caller, deadline: Callable[[], Deadline]) -> T:
        """Do `work` in the thread. Raises Overloaded, DeadlineExceeded, and what `work` raises."""
        async with AsyncExitStack() as place:
            await place.enter_async_context(self.admission.enter(characters, deadline, caller))
            running = asyncio.get_running_loop().run_in_executor(self._thread, work)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                running.add_done_callback(partial(self._leave, place.pop_all()))  # the thread is at it until then
                raise

    def _leave(self, place: AsyncExitStack, running: asyncio.Future[Any]) -> None:
        running.exception()
        task = asyncio.create_task(place.aclose())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


class TextWork:
    """The threads, and the queues before them. For one event loop."""

    def __init__(self, metrics: Metrics, *, max_waiting: int) -> None:
        self._short = _Lane("short-texts", metrics, _ANY_NUMBER)
        self._long, self._longest = (_Lane(name, metrics, max_waiting) for name in ("long-texts", "longest-texts"))

    async def run(self, characters: int, work: Callable[[], T], caller: Caller, deadline: Callable[[], Deadline]) -> T:
        """Do `work` on so many characters of text: here when they are few, in a thread when they are many.

        Raises Overloaded and DeadlineExceeded if they are more than LONG_CHARACTERS, and what `work` raises.
        """
        if characters <= LONG_CHARACTERS:
            return await self.run_short(characters, work, caller)
        lane = self._long if characters < LONGEST_CHARACTERS else self._longest
        return await lane.run(characters, work, caller, deadline)

    async def run_by(self, deadline: Deadline, characters: int, work: Callable[[], T], caller: Caller) -> T:
        """Do `work` as `run` does, for one who waits no longer than for the deadline if they are many."""
        if characters > LONG_CHARACTERS:
            if deadline.remaining() <= 0:
                raise DeadlineExceeded("The deadline passed before the document was read. Allow more time.")
            running = self.run(characters, work, caller, lambda: deadline)
            return await within(deadline.remaining(), "document was read", running)
        return await self.run_short(characters, work, caller)

    async def run_short(self, characters: int, work: Callable[[], T], caller: Caller) -> T:
        """Do `work` on at most LONG_CHARACTERS, which is never refused."""
        if characters <= OFFLOAD_CHARACTERS:
            return work()
        return await self._short.run(characters, work, caller, lambda: _NEVER)
