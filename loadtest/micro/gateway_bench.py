"""The numbers of the README: the whole service, measured from outside.

    python -m loadtest.micro.gateway_bench [--rows 40] [--out docs/benchmarks/gateway.json]

Starts `querygist serve` as a process of its own and measures: start to /readyz, time to first token and to the whole
summary with one and eight requests in flight, a cache hit, /livez while eight summaries run, tokens per forward pass
with and without candidates, resident memory. Writes JSON.
"""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from rich.console import Console

from loadtest.processes import gateway
from querygist.client import Client
from querygist.evaluation.rows import BUILT_IN, rows

MAX_WORDS = 40
DEADLINE = 60.0
LIVEZ_PERIOD = 0.02

console = Console()


async def summaries(url: str, data: Sequence[dict[str, str]], in_flight: int, asked: str) -> dict[str, float]:
    """Stream every row, `in_flight` at a time; milliseconds, percentiles over requests.

    `asked` begins every query, so that a second run finds only the instruction in the engine's prefix cache.
    """
    places = asyncio.Semaphore(in_flight)
    first_text: list[float] = []
    total: list[float] = []

    async def one(row: dict[str, str], client: Client) -> None:
        async with places:
            began, first = time.monotonic(), 0.0
            query = f"{asked} {row['query']}"
            async for _ in client.stream(query, row["document"], max_words=MAX_WORDS, fallback="none"):
                now = time.monotonic() - began
                first = first or now
            first_text.append(first)
            total.append(time.monotonic() - began)

    async with Client(url, deadline=DEADLINE) as client:
        began = time.monotonic()
        await asyncio.gather(*(one(row, client) for row in data))
        elapsed = time.monotonic() - began
    return {
        "first_text_p50_ms": _percentile(first_text, 50),
        "total_p50_ms": _percentile(total, 50),
        "total_p95_ms": _percentile(total, 95),
        "requests_per_second": round(len(data) / elapsed, 2),
    }


async def cache_hits(url: str, row: dict[str, str], count: int = 200) -> dict[str, float]:
    """One request again and again."""
    times = []
    body = {"query": row["query"], "document": row["document"], "max_words": MAX_WORDS}
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client:
        (await client.post("/summarize", json=body)).raise_for_status()
        for _ in range(count):
            began = time.monotonic()
            answer = (await client.post("/summarize", json=body)).json()
            times.append(time.monotonic() - began)
            if not answer["cached"]:
                raise RuntimeError("a repeated request was not cached")
    return {"p50_ms": _percentile(times, 50), "p99_ms": _percentile(times, 99)}


async def livez_meanwhile(url: str, data: Sequence[dict[str, str]]) -> dict[str, float]:
    """/livez every 20 ms, idle and while eight summaries run."""

    async def probe(times: list[float]) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client:
            await client.get("/livez")
            while True:
                began = time.monotonic()
                await client.get("/livez")
                times.append(time.monotonic() - began)
                await asyncio.sleep(LIVEZ_PERIOD)

    idle: list[float] = []
    with suppress(TimeoutError):
        await asyncio.wait_for(probe(idle), 5)
    busy: list[float] = []
    probing = asyncio.create_task(probe(busy))
    await summaries(url, data, 8, "Search for:")
    probing.cancel()
    return {
        "idle_p50_ms": _percentile(idle, 50),
        "idle_p99_ms": _percentile(idle, 99),
        "busy_p50_ms": _percentile(busy, 50),
        "busy_p99_ms": _percentile(busy, 99),
        "busy_samples": len(busy),
    }


async def metrics(url: str) -> dict[str, float]:
    """The counters behind tokens per forward pass and acceptance."""
    async with httpx.AsyncClient(base_url=url) as client:
        text = (await client.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^querygist_(\w+_total) ([\d.e+]+)$", text, re.M)}


def memory_mb(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Resident memory of the gateway and of its engine worker."""
    gateway_process = psutil.Process(process.pid)
    workers = sum(child.memory_info().rss for child in gateway_process.children(recursive=True))
    return {"gateway": round(gateway_process.memory_info().rss / 1e6), "worker": round(workers / 1e6)}


def _percentile(seconds: list[float], share: int) -> float:
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 2)


async def run(data: Sequence[dict[str, str]]) -> dict[str, object]:
    """Every measurement, each on a service without a cache, but for the one of cache hits."""
    result: dict[str, object] = {"rows": len(data), "max_words": MAX_WORDS, "cpus": os.cpu_count()}
    for name, candidates in (("with_candidates", None), ("without_candidates", "0")):
        extra = {"CANDIDATE_TOKENS": candidates} if candidates else {}
        async with gateway(CACHE_MB="0", **extra) as (url, process, ready):
            console.print(f"{name}: ready after {ready:.1f} s")
            one = await summaries(url, data, 1, "Find:")
            eight = await summaries(url, data, 8, "Look up:")
            counted = await metrics(url)
            result[name] = {
                "start_to_ready_s": round(ready, 2),
                "1_in_flight": one,
                "8_in_flight": eight,
                "tokens_per_forward_pass": round(
                    counted["generation_tokens_total"] / counted["forward_passes_total"], 2
                ),
                "accepted_share": round(
                    counted["candidate_tokens_accepted_total"] / max(1, counted["candidate_tokens_drafted_total"]), 3
                ),
                "prompt_tokens_mean": round(counted["prompt_tokens_total"] / (2 * len(data)), 1),
                "memory_mb": memory_mb(process),
            }
            if candidates is None:
                result["livez"] = await livez_meanwhile(url, data)
    async with gateway() as (url, _, _):
        result["cache_hit"] = await cache_hits(url, data[0])
    return result


def main(
    data: Annotated[Path, typer.Option(help="JSONL with query and document.")] = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", help="How many rows.")] = 40,
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("docs/benchmarks/gateway.json"),
) -> None:
    """Measure, print and write."""
    result = asyncio.run(run(rows(data, limit)))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    console.print_json(data=result)


if __name__ == "__main__":
    typer.run(main)
