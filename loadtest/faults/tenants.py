"""Callers beside each other: long documents, a flood, results pages, overload."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from loadtest.faults.fault import Fault, Reply, ask, counted, milliseconds, outcomes
from loadtest.faults.watch import Watch, watched
from loadtest.load.arrivals import constant, poisson
from loadtest.servers import gateway

WORDS = 40
SECONDS = 60.0
PAGES_A_SECOND, PAGE = 0.2, 32

Rows = Sequence[dict[str, str]]


@contextlib.asynccontextmanager
async def with_keys(**settings: str) -> AsyncGenerator[tuple[httpx.AsyncClient, Watch], None]:
    """A client of a gateway that knows the keys "alice" and "bob", and a watch of that."""
    with tempfile.TemporaryDirectory(prefix="querygist-keys-") as folder:
        path = Path(folder) / "keys.json"
        hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "bob")}
        path.write_text(json.dumps({name: {"sha256": hash_, "per_minute": 10**6} for name, hash_ in hashes.items()}))
        limits = httpx.Limits(max_connections=None)
        async with (
            gateway(API_KEYS_FILE=str(path), CACHE_MB="0", **settings) as (server, _),
            httpx.AsyncClient(base_url=server.url, timeout=90, limits=limits) as client,
        ):
            with watched(server.url, server.process.pid) as watch:
                yield client, watch


def bodies(rows: Rows, label: str) -> Iterator[dict[str, Any]]:
    """Yield requests without end, no two the same."""
    for number, row in enumerate(itertools.cycle(rows)):
        yield {"query": f"{row['query']} {label} {number}", "document": row["document"], "max_words": WORDS}


async def sent(
    rate: float, seconds: float, seed: int, send: Callable[[], Awaitable[Reply | list[Reply]]]
) -> list[Reply]:
    """Send at Poisson moments, whatever became of the ones before; return all replies."""
    began = time.monotonic()

    async def one(moment: float) -> Reply | list[Reply]:
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        return await send()

    replies = await asyncio.gather(*(one(moment) for moment in poisson(constant(rate, seconds), seed)))
    return [one for reply in replies for one in (reply if isinstance(reply, list) else [reply])]


def single(client: httpx.AsyncClient, source: Iterator[dict[str, Any]], tenant: str) -> Callable[[], Awaitable[Reply]]:
    """Return what asks for the next of `source`."""
    return lambda: ask(client, next(source), Authorization=f"Bearer {tenant}")


def page(
    client: httpx.AsyncClient, source: Iterator[dict[str, Any]], tenant: str, **headers: str
) -> Callable[[], Awaitable[list[Reply]]]:
    """Return what asks for a results page of the next of `source`."""

    async def asking() -> list[Reply]:
        own = list(itertools.islice(source, PAGE))
        documents = [{"id": str(n), **{k: v for k, v in one.items() if k != "query"}} for n, one in enumerate(own)]
        body = {"query": own[0]["query"], "documents": documents}
        began, replies = time.monotonic(), []
        authorized = headers | {"Authorization": f"Bearer {tenant}"}
        async with client.stream("POST", "/summarize/batch", json=body, headers=authorized) as response:
            async for line in response.aiter_lines():
                found = json.loads(line)
                replies.append(Reply.of(found.get("answer") or found["problem"], time.monotonic() - began))
        return replies

    return asking


async def capacity(client: httpx.AsyncClient, rows: Rows, seconds: float = 20, in_flight: int = 8) -> float:
    """Return the model's answers a second with so many in flight all the time."""
    source, began, done = bodies(rows, "capacity"), time.monotonic(), 0

    async def one_after_another() -> None:
        nonlocal done
        while time.monotonic() - began < seconds:
            await single(client, source, "alice")()
            done += 1

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return done / (time.monotonic() - began)


async def long_documents(rows: Rows) -> Fault:
    """Three batches of the longest documents at once, and another tenant's shorter ones."""
    async with with_keys() as (client, watch):
        await asyncio.gather(*(single(client, bodies(rows, f"warm {n}"), "bob")() for n in range(8)))
        text = "Fox runs. " * 19_900
        long_ones = ({"query": "what runs", "document": f"{text}{n}", "max_words": WORDS} for n in itertools.count())
        middle = ({"query": f"what runs {n}", "document": "Fox runs. " * 900} for n in itertools.count())
        batches = asyncio.gather(*(page(client, long_ones, "alice", **{"X-Deadline-Ms": "1000"})() for _ in range(3)))
        found: dict[str, list[Reply]] = {"ordinary": [], "middle": []}
        while not batches.done():
            found["middle"].append(await single(client, middle, "bob")())
            found["ordinary"].append(await single(client, bodies(rows, str(len(found["middle"]))), "bob")())
        late = [reply for replies in await batches for reply in replies]
    numbers = {name: milliseconds([reply.seconds for reply in replies]) for name, replies in found.items()}
    longest = max(reply.seconds for reply in late)
    return Fault(
        "long documents",
        f"3 batches of {PAGE} documents of 199,000 characters, deadline 1 s; another tenant's documents meanwhile",
        f"the batches: {outcomes(late)}, all within {longest:.2f} s; the other's of 9,000 characters after "
        f"{numbers['middle'].get('p50')} ms (p50), {numbers['middle'].get('max')} ms at most; "
        f"/livez {watch.slowest:.0f} ms at most",
        "what could not be read within the deadline is quoted from its beginning, or refused",
        numbers=numbers | {"batches": counted(late), "longest_s": longest, "livez_ms": watch.slowest},
    )


def _times(**replies: list[Reply]) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return the times in the queue and those of whole answers, by the names of the replies."""
    return (
        {name: milliseconds([reply.queue for reply in own]) for name, own in replies.items()},
        {name: milliseconds([reply.seconds for reply in own]) for name, own in replies.items()},
    )


async def flood(rows: Rows) -> Fault:
    """One tenant sends 25 times what another does, far above what the service can do."""
    async with with_keys() as (client, _):
        peak = await capacity(client, rows)
        rate = peak / 5
        alone = await sent(rate, SECONDS, 1, single(client, bodies(rows, "alone"), "bob"))
        own, flooding = await asyncio.gather(
            sent(rate, SECONDS, 2, single(client, bodies(rows, "bob"), "bob")),
            sent(25 * rate, SECONDS, 3, single(client, bodies(rows, "alice"), "alice")),
        )
    queue, whole = _times(alone=alone, flooded=own)
    return Fault(
        "a flood by one tenant",
        f"alice {25 * rate:.1f} requests/s, bob {rate:.2f}/s, where {peak:.1f}/s can be done",
        f"bob: {outcomes(own)}; in the queue {queue['flooded'].get('p50')} ms (p50), "
        f"{queue['flooded'].get('p95')} ms (p95); alone {queue['alone'].get('p50')} and {queue['alone'].get('p95')} ms",
        f"alice's own: {outcomes(flooding)}",
        numbers={"queue_ms": queue, "e2el_ms": whole, "bob": counted(own), "alice": counted(flooding), "peak": peak},
    )


async def results_pages(rows: Rows) -> Fault:
    """Results pages of 32 documents, and single requests of another tenant."""
    async with with_keys() as (client, _):
        peak = await capacity(client, rows)
        rate = peak / 3
        alone = await sent(rate, SECONDS, 1, single(client, bodies(rows, "alone"), "bob"))
        own, pages = await asyncio.gather(
            sent(rate, SECONDS, 2, single(client, bodies(rows, "single"), "bob")),
            sent(PAGES_A_SECOND, SECONDS, 3, page(client, bodies(rows, "page"), "alice")),
        )
    queue, whole = _times(alone=alone, beside=own)
    return Fault(
        "results pages",
        f"a page of {PAGE} documents every {1 / PAGES_A_SECOND:.0f} s, singles {rate:.1f}/s, of {peak:.1f}/s",
        f"singles: {outcomes(own)}; in the queue {queue['beside'].get('p50')} ms (p50), "
        f"{queue['beside'].get('p95')} ms (p95); whole after {whole['beside'].get('p50')} ms, alone "
        f"{whole['alone'].get('p50')} ms",
        f"documents of pages: {outcomes(pages)}",
        numbers={"queue_ms": queue, "e2el_ms": whole, "singles": counted(own), "pages": counted(pages), "peak": peak},
    )


async def overload(rows: Rows) -> Fault:
    """Requests at the peak, twice and five times as many."""
    async with with_keys() as (client, watch):
        peak = await capacity(client, rows, SECONDS)
        goodput, counts = {}, {}
        for times in (1, 2, 5):
            replies = await sent(times * peak, SECONDS, times, single(client, bodies(rows, str(times)), "bob"))
            goodput[times] = sum(reply.outcome == "generative" for reply in replies) / SECONDS
            counts[times] = counted(replies)
    return Fault(
        "overload",
        f"2 and 5 times the {peak:.1f} requests/s that can be done, {SECONDS:.0f} s each, deadline 10 s",
        "; ".join(
            f"{times} times: {value:.1f}/s by the model ({value / peak:.0%})"
            for times, value in goodput.items()
            if times > 1
        )
        + f"; the others are quotes (short pages fit a queue more often); /livez {watch.slowest:.0f} ms at most",
        "nothing",
        numbers={"peak": peak, "goodput": goodput, "outcomes": counts, "grown_mb": watch.grown},
    )
