"""Send requests in an open or a closed loop of asyncio, which shares no scheduler with Locust."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from loadtest.load.results import Since

T = TypeVar("T")


async def open_loop(
    moments: Sequence[float], send: Callable[[int, float, Since], Awaitable[T]], began: float, console: Console
) -> list[T]:
    """Call `send(number, moment, since)` at each of `moments`, whatever became of the ones before.

    Moments are seconds from `began`, on the clock of `time.monotonic`.
    """
    with Progress(console=console) as progress:
        task = progress.add_task("requests", total=len(moments))

        async def one(number: int, moment: float) -> T:
            await until(began + moment)
            result = await send(number, moment, lambda: time.monotonic() - began - moment)
            progress.advance(task)
            return result

        return await asyncio.gather(*(one(number, moment) for number, moment in enumerate(moments)))


async def until(moment: float) -> None:
    """Wait for a moment of `time.monotonic`."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def closed_loop(jobs: Iterable[Awaitable[T]], in_flight: int) -> tuple[list[T], float]:
    """Run `in_flight` of `jobs` at any time. Their results, as they end, and the seconds that all of them took."""
    waiting, results = iter(jobs), list[T]()

    async def one_after_another() -> None:
        for job in waiting:
            results.append(await job)

    began = time.monotonic()
    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return results, time.monotonic() - began


def stopwatch() -> Since:
    """Seconds since now, for a request that is sent at once."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
