"""Work on texts, off the event loop when they are long: in one thread, which callers share fairly.

One, because threads would only fight for the GIL. Work is admitted by characters: what would be done after its deadline
is refused, and what has been left before its turn is dropped.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from querygist.deadline import Deadline
from querygist.metrics import Metrics
from querygist.pipeline.admission import Admission
from querygist.pipeline.fair_queue import Caller

T = TypeVar("T")

OFFLOAD_CHARACTERS = 8_000
"""Longer texts are worked on in the thread: milliseconds of regular expressions would hold up every other request."""


class LongTexts:
    """The thread, and the queue before it. For one event loop."""

    def __init__(self, metrics: Metrics, *, max_waiting: int) -> None:
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
            return work()
        async with self._admission.enter(characters, deadline, caller):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
