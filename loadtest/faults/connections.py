"""Connections and bodies that no client should send."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import httpx

from loadtest.faults.fault import Fault
from loadtest.faults.watch import Watch, watched
from loadtest.servers import Server, gateway

HEADER_MEGABYTES = 122
SILENT = 1100
UNFINISHED = 40
LISTS = 5_000_000


async def _open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


@contextlib.asynccontextmanager
async def _watched() -> AsyncGenerator[tuple[Server, Watch], None]:
    async with gateway() as (server, _):
        with watched(server.url, server.process.pid) as watch:
            yield server, watch


async def endless_header() -> Fault:
    """Send header lines on one connection for as long as they are taken."""
    lines, sent = b"a:b\r\n" * 13_107, 0
    async with _watched() as (server, watch):
        _, writer = await _open(server.url)
        writer.write(b"GET /livez HTTP/1.1\r\n")
        began = time.monotonic()
        try:
            while sent < HEADER_MEGABYTES * 1e6:
                writer.write(lines)
                await writer.drain()
                sent += len(lines)
        except ConnectionError:
            pass
        seconds = time.monotonic() - began
        await asyncio.sleep(1)  # what comes of it
        alive = server.process.poll() is None
    return Fault(
        "a header without end",
        f"`a:b` lines on one connection, up to {HEADER_MEGABYTES} MB",
        f"closed after {sent / 1e6:.1f} MB and {seconds:.2f} s; others: /livez {watch.slowest:.0f} ms at most",
        "nothing" if alive else "the process",
        numbers={"megabytes": sent / 1e6, "livez_ms": watch.slowest, "grown_mb": watch.grown},
    )


async def silent_connections() -> Fault:
    """Open more connections than there may be, and send nothing or half a header."""
    async with _watched() as (server, watch):
        began = time.monotonic()

        async def one(number: int) -> float | None:
            try:
                reader, writer = await _open(server.url)
                if number % 2:
                    writer.write(b"POST /summarize HTTP/1.1\r\nHost: x\r\n")
                async with asyncio.timeout(60):
                    await reader.read()
            except TimeoutError:
                return None
            except ConnectionError:
                pass
            return time.monotonic() - began

        ended = await asyncio.gather(*(one(number) for number in range(SILENT)))
        closed = [seconds for seconds in ended if seconds is not None]
        async with httpx.AsyncClient(base_url=server.url, timeout=5) as client:
            well = (await client.get("/livez")).status_code == 200
    return Fault(
        "silent connections",
        f"{SILENT:,} connections without a key, half of them with half a header",
        f"{sum(seconds < 5 for seconds in closed)} refused at once, {len(closed)} of {SILENT:,} closed after "
        f"{max(closed, default=0):.0f} s at most; others that were connected: /livez {watch.slowest:.0f} ms at most",
        "nothing" if well else "the process",
        numbers={"closed": len(closed), "last_s": max(closed, default=None), "livez_ms": watch.slowest},
    )


async def unfinished_bodies() -> Fault:
    """Declare large bodies, send most of them, and stop."""
    async with _watched() as (server, watch):

        async def one() -> tuple[float, bytes]:
            reader, writer = await _open(server.url)
            head = (
                b"POST /summarize/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"X-Deadline-Ms: 1000\r\nContent-Length: 15000000\r\n\r\n"
            )
            began = time.monotonic()
            writer.write(head + b'{"query": "q", "documents": [{"id": "1", "document": "' + b"x" * 14_000_000)
            try:
                async with asyncio.timeout(60):
                    return time.monotonic() - began, (await reader.read()).split(b"\r\n")[0]
            except (ConnectionError, TimeoutError):
                return time.monotonic() - began, b""

        began = time.monotonic()
        ended = await asyncio.gather(*(one() for _ in range(UNFINISHED)))
        seconds = time.monotonic() - began
    statuses = sorted({status.decode() or "cut off while it still sent" for _, status in ended})
    return Fault(
        "bodies without end",
        f"{UNFINISHED} batches of 15 MB that stop after 14 MB, deadline 1 s",
        f"all over after {seconds:.1f} s ({', '.join(statuses)}); /livez {watch.slowest:.0f} ms at most, "
        f"{watch.grown} MB more memory",
        "nothing",
        numbers={"seconds": seconds, "statuses": statuses, "livez_ms": watch.slowest, "grown_mb": watch.grown},
    )


async def millions_of_lists() -> Fault:
    """Send batches of nothing but empty lists."""
    body = b'{"query": "q", "documents": [' + b",".join([b"[]"] * LISTS) + b"]}"
    async with (
        _watched() as (server, watch),
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        headers = {"Content-Type": "application/json"}
        posts = [client.post("/summarize/batch", content=body, headers=headers) for _ in range(4)]
        answers = await asyncio.gather(*posts, return_exceptions=True)
    seen = sorted({str(one.status_code) if isinstance(one, httpx.Response) else type(one).__name__ for one in answers})
    return Fault(
        "five million lists",
        f"4 batches of {len(body) / 1e6:.1f} MB of `[]` at once",
        f"{', '.join(seen)}; /livez {watch.slowest:.0f} ms at most, {watch.grown} MB more memory",
        "nothing",
        numbers={"seen": seen, "livez_ms": watch.slowest, "grown_mb": watch.grown},
    )


async def large_batches() -> Fault:
    """Send the largest batches there may be, of text with and without escapes."""
    documents = [{"id": str(number), "document": "é x." * 45_000, "style": "quote"} for number in range(12)]
    bodies = [
        json.dumps({"query": "x", "documents": documents}, ensure_ascii=escaped).encode() for escaped in (True, False)
    ]
    async with (
        _watched() as (server, watch),
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        headers = {"Content-Type": "application/json", "X-Deadline-Ms": "2000"}
        for body in bodies:
            (await client.post("/summarize/batch", content=body, headers=headers)).raise_for_status()
    return Fault(
        "the largest bodies",
        f"batches of {' and '.join(f'{len(body) / 1e6:.1f}' for body in bodies)} MB of text, deadline 2 s",
        f"answered; /livez {watch.slowest:.0f} ms at most, {watch.grown} MB more memory",
        "nothing",
        numbers={"livez_ms": watch.slowest, "livez_p99_ms": watch.p99},
    )
