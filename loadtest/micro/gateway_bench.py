"""Measure the whole service from outside: the numbers of the README.

Starts `querygist serve` as a process of its own and measures: start to /readyz, TTFT and E2EL with one and eight
requests in flight, a cache hit, /livez while eight summaries run, tokens per forward pass with and without candidates,
resident memory.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console

from loadtest.load.client import GRACE_SECONDS, Connections, ask
from loadtest.load.loops import stopwatch
from loadtest.load.results import GENERATIVE, Result
from loadtest.load.statistics import Distribution, Limits
from loadtest.load.traffic import MAX_WORDS, Ask, summary
from loadtest.servers import gateway, metrics
from querygist import json_files
from querygist.errors import QuerygistError
from querygist.evaluation.report_files import table

DEADLINE = 60.0
CACHE_HITS = 200
IDLE_SECONDS = 5.0
LIVEZ_PERIOD = 0.02
VARIANTS = {"with candidates": {}, "without candidates": {"CANDIDATE_TOKENS": "0"}}
"""Settings of the service that is measured."""

Row = dict[str, str]


def summaries(url: str, data: Sequence[Row], in_flight: int, asked: str) -> dict[str, float]:
    """Stream every row, `in_flight` at a time; milliseconds, percentiles over requests.

    `asked` begins every query, so that a second run finds only the instruction in the engine's prefix cache. Raises
    QuerygistError when the model does not answer one.
    """
    wanted = [summary("stream", f"{asked} {row['query']}", row["document"], fallback="none") for row in data]
    began = time.monotonic()
    results = _results(url, wanted, in_flight)
    elapsed = time.monotonic() - began
    return {
        "TTFT p50, ms": _ms([one.ttft or one.e2el for one in results], "p50"),
        "E2EL p50, ms": _ms([one.e2el for one in results], "p50"),
        "E2EL p95, ms": _ms([one.e2el for one in results], "p95"),
        "requests/s": round(len(results) / elapsed, 2),
    }


def cache_hits(url: str, row: Row) -> dict[str, float]:
    """One request again and again."""
    _, *results = _results(url, [summary("json", row["query"], row["document"])] * (CACHE_HITS + 1), 1)
    if not all(one.cached for one in results):
        raise QuerygistError("A repeated request was not cached: set QUERYGIST_CACHE_MB above 0.")
    return {f"cache hit {name}, ms": _ms([one.e2el for one in results], name) for name in ("p50", "p99")}


async def probe(url: str, times: list[float]) -> None:
    """Ask for /livez every 20 ms until cancelled; `times` gets the seconds."""
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client:
        await client.get("/livez")
        while True:
            since = stopwatch()
            await client.get("/livez")
            times.append(since())
            await asyncio.sleep(LIVEZ_PERIOD)


async def variant(data: Sequence[Row], console: Console, **settings: str) -> dict[str, float]:
    """Everything but cache hits, on a service without a cache."""
    async with gateway(CACHE_MB="0", **settings) as (server, ready), httpx.AsyncClient() as client:
        console.print(f"ready after {ready:.1f} s")
        found = {"start to ready, s": round(ready, 2)}
        for in_flight, asked in ((1, "Find:"), (8, "Look up:")):
            measured = await asyncio.to_thread(summaries, server.url, data, in_flight, asked)
            found |= {f"{in_flight} in flight: {name}": value for name, value in measured.items()}
        told = {name.removeprefix("querygist_"): value for name, value in (await metrics(client, server.url)).items()}
        process = psutil.Process(server.process.pid)
        workers = sum(child.memory_info().rss for child in process.children(recursive=True))
        memory = {"gateway, MB": process.memory_info().rss, "engine worker, MB": workers}
        idle, busy = list[float](), list[float]()
        with suppress(TimeoutError):
            await asyncio.wait_for(probe(server.url, idle), IDLE_SECONDS)
        probing = asyncio.create_task(probe(server.url, busy))
        await asyncio.to_thread(summaries, server.url, data, 8, "Search for:")
        probing.cancel()
    drafted, accepted = (told[f"candidate_tokens_{name}_total"] for name in ("drafted", "accepted"))
    found |= {
        "tokens per forward pass": round(told["generation_tokens_total"] / told["forward_passes_total"], 2),
        "accepted share of candidates": round(accepted / max(1, drafted), 3),
        "prompt tokens, mean": round(told["prompt_tokens_total"] / (2 * len(data)), 1),
        **{name: round(size / 1e6) for name, size in memory.items()},
    }
    for name, times in (("idle", idle), ("8 in flight", busy)):
        found |= {f"/livez, {name}: {share}, ms": _ms(times, share) for share in ("p50", "p99")}
    return found


async def run(data: Sequence[Row], out: Path, console: Console) -> None:
    """Measure, print and write the numbers."""
    found = {name: await variant(data, console, **settings) for name, settings in VARIANTS.items()}
    async with gateway() as (server, _):
        hits = await asyncio.to_thread(cache_hits, server.url, data[0])
    kept: dict[str, Any] = {"rows": len(data), "max_words": MAX_WORDS, "cpus": os.cpu_count(), **found, **hits}
    shown = table(["", *found], ([name, *(one[name] for one in found.values())] for name in next(iter(found.values()))))
    console.print(shown, ", ".join(f"{name}: {value}" for name, value in hits.items()), sep="\n\n")
    json_files.save(out, kept, indent=1)


def _results(url: str, wanted: Sequence[Ask], in_flight: int) -> list[Result]:
    connections = Connections(url, Limits(e2el=DEADLINE).headers, DEADLINE + GRACE_SECONDS)
    with ThreadPoolExecutor(in_flight) as pool:
        found = pool.map(lambda one: ask(connections, one, arrival=0.0, since=stopwatch()), wanted)
        results = [result for some in found for result in some]
    connections.close()
    for one in results:
        if one.outcome != GENERATIVE:
            raise QuerygistError(f"A request was not answered by the model: {one.outcome}. The service's log says why.")
    return results


def _ms(seconds: Sequence[float], share: str) -> float:
    return round(1000 * float(getattr(Distribution.of(seconds), share)), 2)
