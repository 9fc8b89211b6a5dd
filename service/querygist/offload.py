"""Work on texts, off the event loop when it is long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

LONG_TEXTS = ThreadPoolExecutor(1, thread_name_prefix="long-texts")

OFFLOAD_CHARACTERS = 8_000
"""Longer texts are worked on in a thread: milliseconds of regular expressions would hold up every other request."""


async def off_loop(characters: int, work: Callable[[], T], threads: ThreadPoolExecutor = LONG_TEXTS) -> T:
    """Do `work` on so many characters of text here when they are few, in the one thread for this when they are many.

    One, because threads would only fight for the GIL, and work whose request has left before its turn is dropped.
    """
    if characters <= OFFLOAD_CHARACTERS:
        return work()
    return await asyncio.get_running_loop().run_in_executor(threads, work)
