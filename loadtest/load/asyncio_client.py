"""Ask with the service's own asyncio client, in an open or a closed loop. It shares no scheduler with Locust."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.progress import Progress

from loadtest.load.results import FAILURES, Result, Since, Timer
from loadtest.load.traffic import MAX_WORDS, Kind
from querygist.client import Client
from querygist.schemas import Answer

T = TypeVar("T")

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2.0)
"""As many connections as there are requests. An idle one is not used again after 2 s: the server would close it soon
(uvicorn: after 5 s), maybe in the very moment of the request."""


def connect(url: str, *, deadline: float) -> Client:
    """A client that sends nothing twice, over as many connections as there are requests."""
    return Client(url, deadline=deadline, retries=0, transport=httpx.AsyncHTTPTransport(limits=LIMITS))


async def ask(
    client: Client,
    query: str,
    document: str,
    *,
    since: Since,
    arrival: float = 0.0,
    kind: Kind = "json",
    **options: Any,
) -> Result:
    """The result of one request ("json" or "stream"); `options` are its other fields."""
    timer, pieces = Timer(kind, arrival, since), list[float]()
    try:
        if kind == "json":
            return timer.answered(await client.summarize(query, document, max_words=MAX_WORDS, **options), since())
        answer: Answer | None = None
        async for event in client.stream(query, document, max_words=MAX_WORDS, **options):
            now = since()
            if isinstance(event, Answer):
                answer = event
            else:
                pieces.append(now)
        if answer is None:
            raise EOFError
        return timer.answered(answer, now, pieces)
    except FAILURES as error:
        return timer.failed(error)


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
