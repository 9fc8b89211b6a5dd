"""Work on texts, off the event loop when it is long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_LONG_TEXTS = ThreadPoolExecutor(1, thread_name_prefix="long-texts")

OFFLOAD_CHARACTERS = 8_000
"""Longer texts are worked on in a thread: milliseconds of regular expressions would hold up every other request."""


async def off_loop(text: str, work: Callable[[], T]) -> T:
    """Do `work` on `text` here when it is short, in the one thread for this when it is long.

    One, because threads would only fight for the GIL, and work whose request has left before its turn is dropped.
    """
    if len(text) <= OFFLOAD_CHARACTERS:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_LONG_TEXTS, work)
