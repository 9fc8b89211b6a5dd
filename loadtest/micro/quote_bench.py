"""Measure quotes from outside: one page, ten pages in one call, and what the reader's process spends on them.

Pages of about 300 words are made of the rows' documents, each asked for once, so nothing is in a cache.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean

import httpx
import psutil
from rich.console import Console
from tokenizers import Tokenizer

from loadtest.load.loops import stopwatch
from loadtest.load.statistics import Distribution
from loadtest.load.traffic import MAX_WORDS, PAGE
from loadtest.servers import gateway, metrics
from querygist import json_files, settings
from querygist.artifact.reader_card import ReaderCard
from querygist.errors import QuerygistError
from querygist.evaluation.report_files import table
from querygist.sizing.gpus import L20

WORDS = 300
PAGES, CALLS, WARM_UP = 100, 12, 10
QUERIES_A_SECOND = 50_000  # the paper's
_ENCODER_PARAMETERS = 10.6e6  # in the layers; embeddings are looked up
_UTILIZATION = 0.4  # of dense FP16, assumed of encoders in large batches

Row = dict[str, str]


def pages(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield queries and pages of WORDS words without end, no two the same."""
    documents = cycle(row["document"] for row in rows)
    for number, row in enumerate(cycle(rows)):
        words: list[str] = [f"Page {number}."]
        while len(words) < WORDS:
            words += next(documents).split()
        yield {"query": row["query"], "document": " ".join(words[:WORDS])}


async def run(rows: Sequence[Row], out: Path, console: Console) -> None:
    """Measure, print and write the numbers. Raises QuerygistError when no reader read the pages."""
    source = pages(rows)
    async with gateway(CACHE_MB="0") as (server, _), httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        await _each(client, islice(source, WARM_UP))
        before = await _reader(client, server.url, server.process.pid)
        single = await _each(client, islice(source, PAGES))
        middle = await _reader(client, server.url, server.process.pid)
        batches = [await _batch(client, list(islice(source, PAGE))) for _ in range(CALLS)]
        after = await _reader(client, server.url, server.process.pid)
    tokens = _tokens([row["document"] for row in islice(pages(rows), PAGES)])
    one, ten = Distribution.of(single), Distribution.of(batches)
    core_seconds = (middle["cpu"] - before["cpu"]) / PAGES
    found = {
        "words": WORDS,
        "pages": PAGES,
        "cpus": os.cpu_count(),
        "reader, mean, ms": round(1000 * (middle["seconds"] - before["seconds"]) / PAGES, 1),
        "quote over HTTP, p50, ms": round(1000 * one.p50, 1),
        "quote over HTTP, p95, ms": round(1000 * one.p95, 1),
        "ten pages in one call, p50, ms": round(1000 * ten.p50, 1),
        "reader, core-seconds a page": round(core_seconds, 4),
        "reader, core-seconds a page of ten": round((after["cpu"] - middle["cpu"]) / (CALLS * PAGE), 4),
        "reader, tokens a page": round(tokens),
        "reader, MB": round(after["memory"] / 1e6),
    }
    flops = 2 * _ENCODER_PARAMETERS * tokens
    found |= {
        f"cores for {QUERIES_A_SECOND:,} pages/s": round(QUERIES_A_SECOND * core_seconds),
        f"L20s for {QUERIES_A_SECOND:,} pages/s, from a roofline": round(
            QUERIES_A_SECOND * flops / (_UTILIZATION * L20.fp16), 1
        ),
    }
    console.print(table(("", "measured"), list(found.items())))
    json_files.save(out, found, indent=1)


def _tokens(documents: Sequence[str]) -> float:
    """Return the mean number of the reader's tokens."""
    folder = settings.load().weights_dir / "reader"
    tokenizer = Tokenizer.from_file(str(folder / ReaderCard.load(folder).tokenizer.file))
    tokenizer.no_truncation()
    return fmean(len(found.ids) for found in tokenizer.encode_batch(documents))


async def _each(client: httpx.AsyncClient, asked: Iterator[Row]) -> list[float]:
    seconds = []
    for row in asked:
        since = stopwatch()
        answer = (await client.post("/summarize", json=row | {"style": "quote", "max_words": MAX_WORDS})).json()
        seconds.append(since())
        if answer.get("score") is None:
            raise QuerygistError(f"No reader read a page: {answer}. Set QUERYGIST_READER=true, and look at its log.")
    return seconds


async def _batch(client: httpx.AsyncClient, rows: Sequence[Row]) -> float:
    documents = [
        {"id": str(number), "document": row["document"], "style": "quote", "max_words": MAX_WORDS}
        for number, row in enumerate(rows)
    ]
    since = stopwatch()
    response = await client.post("/summarize/batch", json={"query": rows[0]["query"], "documents": documents})
    response.raise_for_status()
    return since()


async def _reader(client: httpx.AsyncClient, url: str, pid: int) -> dict[str, float]:
    """Return what the reader has spent so far: CPU seconds, and seconds that pages took; and its memory now."""
    told = await metrics(client, url)
    process = next(
        child for child in psutil.Process(pid).children() if "querygist.reader.worker" in " ".join(child.cmdline())
    )
    times = process.cpu_times()
    return {
        "cpu": times.user + times.system,
        "seconds": told["querygist_reader_latency_seconds_sum"],
        "memory": process.memory_info().rss,
    }
