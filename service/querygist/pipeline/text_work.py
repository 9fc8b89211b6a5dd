"""Work on texts: on the event loop when they are short, one at a time; in a thread when they are long.

One thread, because several would only fight for the GIL, and callers share it fairly. Work there is admitted by
characters: what would be done after its deadline is refused, and what has been left before its turn is dropped.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from querygist.deadline import Deadline, within
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.fair_queue import Caller

T = TypeVar("T")

OFFLOAD_CHARACTERS = 8_000
"""Longer texts are worked on in the thread: milliseconds of regular expressions would hold up every other request."""


class TextWork:
    """The event loop's turns, the thread, and the queue before it. For one event loop."""

    def __init__(self, metrics: Metrics, *, max_waiting: int) -> None:
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="long-texts")
        self._admission = Admission(
            "worked on",
            max_in_flight=1,
            max_waiting=max_waiting,
            refused=lambda reason: metrics.sheds.labels(reason).inc(),
        )

    async def run(self, characters: int, work: Callable[[], T], caller: Caller, deadline: Callable[[], Deadline]) -> T:
        """Do `work` on so many characters of text: here when they are few, in the thread when they are many.

        Raises Overloaded, DeadlineExceeded, and what `work` raises.
        """
        if characters <= OFFLOAD_CHARACTERS:
            return await self.run_here(work)
        async with self._admission.enter(characters, deadline, caller):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def run_by(self, deadline: Deadline, characters: int, work: Callable[[], T], caller: Caller) -> T:
        """Do `work` as `run` does, for one who waits no longer than for the deadline."""
        running = self.run(characters, work, caller, lambda: deadline)
        if characters > OFFLOAD_CHARACTERS:
            running = within(deadline.remaining(), "document was read", running)
        return await running

    async def run_here(self, work: Callable[[], T]) -> T:
        """Do short `work`, and let the event loop look at its connections before the next: many may come at once."""
        async with self._turn:
            result = work()
            await asyncio.sleep(0)
            return result
