"""Work on texts: on the event loop when they are short, one at a time; in a thread when they are long.

Callers share the thread fairly. Work there is admitted by characters: what would be done after its deadline is refused,
and what has been left before its turn is dropped. The longest texts, of which one piece of work takes up to a second,
have a thread of their own; more threads would only fight for the GIL.
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


LONGEST_CHARACTERS = 40_000
"""Texts from here on do not hold up those that are shorter."""


class _Lane:
    """A thread, and the queue before it."""

    def __init__(self, name: str, metrics: Metrics, max_waiting: int) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.admission = Admission(
            "worked on",
            max_in_flight=1,
            max_waiting=max_waiting,
            refused=lambda reason: metrics.sheds.labels(reason).inc(),
        )


class TextWork:
    """The event loop's turns, the threads, and the queues before them. For one event loop."""

    def __init__(self, metrics: Metrics, *, max_waiting: int) -> None:
        self._turn = asyncio.Lock()
        self._long, self._longest = (_Lane(name, metrics, max_waiting) for name in ("long-texts", "longest-texts"))

    async def run(self, characters: int, work: Callable[[], T], caller: Caller, deadline: Callable[[], Deadline]) -> T:
        """Do `work` on so many characters of text: here when they are few, in the thread when they are many.

        Raises Overloaded, DeadlineExceeded, and what `work` raises.
        """
        if characters <= OFFLOAD_CHARACTERS:
            return await self.run_here(work)
        lane = self._long if characters < LONGEST_CHARACTERS else self._longest
        async with lane.admission.enter(characters, deadline, caller):
            return await asyncio.get_running_loop().run_in_executor(lane.thread, work)

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
