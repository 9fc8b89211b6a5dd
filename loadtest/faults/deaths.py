"""Processes that die, hang, or are told to end, while requests are in flight."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from loadtest.faults.fault import Fault, Reply, ask, counted, milliseconds, outcomes
from loadtest.faults.tenants import Rows, bodies
from loadtest.servers import POLL_SECONDS, Server, gateway
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST

IN_FLIGHT = 6
CRASHES, CRASH_SECONDS = 10, 1.0
DRAINED = 24


@contextlib.asynccontextmanager
async def _asked(server: Server) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with httpx.AsyncClient(base_url=server.url, timeout=90, limits=httpx.Limits(max_connections=None)) as client:
        yield client


def _engine(server: Server) -> psutil.Process:
    return next(
        child
        for child in psutil.Process(server.process.pid).children()
        if "querygist.engines.openvino.worker" in " ".join(child.cmdline())
    )


async def _until_in_engine(client: httpx.AsyncClient, number: int) -> None:
    while f"querygist_num_requests_running {number:.1f}" not in (await client.get("/metrics")).text:
        await asyncio.sleep(POLL_SECONDS)


async def _recovery(client: httpx.AsyncClient, source: Iterator[dict[str, Any]], since: float) -> float:
    """Return the seconds from `since` until the model answers again."""
    while (await ask(client, next(source))).outcome != "generative":
        await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - since


def _requests(client: httpx.AsyncClient, source: Iterator[dict[str, Any]], number: int) -> list[asyncio.Task[Reply]]:
    return [asyncio.create_task(ask(client, next(source))) for _ in range(number)]


async def killed_engine(rows: Rows) -> Fault:
    """SIGKILL to the engine with requests in it."""
    async with gateway(CACHE_MB="0") as (server, _), _asked(server) as client:
        source = bodies(rows, "killed")
        asked = _requests(client, source, IN_FLIGHT)
        await _until_in_engine(client, IN_FLIGHT)
        _engine(server).kill()
        began = time.monotonic()
        replies = await asyncio.gather(*asked)
        answered = time.monotonic() - began
        recovery = await _recovery(client, source, began)
    return Fault(
        "the engine is killed",
        f"SIGKILL with {IN_FLIGHT} requests in it",
        f"{outcomes(replies)}, {1000 * answered:.0f} ms later",
        "nothing: the page is quoted",
        recovery,
        {"replies": counted(replies), "answered_s": answered},
    )


async def crash_loop(rows: Rows) -> Fault:
    """SIGKILL to the engine again and again."""
    async with gateway(CACHE_MB="0") as (server, _), _asked(server) as client:
        source, replies, kills = bodies(rows, "loop"), list[Reply](), 0
        for _ in range(CRASHES):
            with contextlib.suppress(StopIteration, psutil.Error):
                _engine(server).kill()
                kills += 1
            ends = time.monotonic() + CRASH_SECONDS
            while time.monotonic() < ends:
                replies.append(await ask(client, next(source)))
        recovery = await _recovery(client, source, time.monotonic())
    took = milliseconds([reply.seconds for reply in replies if reply.outcome == "extractive"])
    return Fault(
        "a crash loop",
        f"SIGKILL once a second, {kills} times",
        f"{outcomes(replies)}; a quote after {took.get('p50')} ms (p50), {took.get('max')} ms at most",
        "nothing",
        recovery,
        {"replies": counted(replies), "extract_ms": took, "kills": kills},
    )


async def hung_engine(rows: Rows) -> Fault:
    """SIGSTOP to the engine with requests in it, and SIGCONT later."""
    async with gateway(CACHE_MB="0") as (server, _), _asked(server) as client:
        source = bodies(rows, "hung")
        asked = _requests(client, source, IN_FLIGHT)
        await _until_in_engine(client, IN_FLIGHT)
        engine = _engine(server)
        engine.suspend()
        began = time.monotonic()
        first = await asyncio.gather(*asked)
        seen = time.monotonic() - began
        later = [await ask(client, next(source)) for _ in range(10)]
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have been replaced
            engine.resume()
        recovery = await _recovery(client, source, time.monotonic())
    took = milliseconds([reply.seconds for reply in later])
    return Fault(
        "the engine hangs",
        f"SIGSTOP with {IN_FLIGHT} requests in it, deadline 10 s",
        f"those in it: {outcomes(first)} after {seen:.1f} s; once it is seen, {outcomes(later)} after "
        f"{took['p50']} ms (p50), {took['max']} ms at most",
        "nothing: the page is quoted",
        recovery,
        {"first": counted(first), "seen_s": seen, "later_ms": took},
    )


async def drained(rows: Rows) -> Fault:
    """SIGTERM with requests in flight and waiting, and more that come then."""
    async with gateway(CACHE_MB="0") as (server, _), _asked(server) as client:
        source = bodies(rows, "drain")
        asked = _requests(client, source, DRAINED)
        await _until_in_engine(client, 8)
        server.process.terminate()
        began = time.monotonic()
        late = [await ask(client, next(source)) for _ in range(5)]
        replies = await asyncio.gather(*asked)
        code = await asyncio.to_thread(server.process.wait, 60)
        seconds = time.monotonic() - began
    return Fault(
        "SIGTERM",
        f"with {DRAINED} requests in flight or waiting, and 5 that come after it",
        f"{outcomes(replies)}; the later ones: {outcomes(late)}; exit code {code} after {seconds:.1f} s",
        "nothing",
        numbers={"replies": counted(replies), "late": counted(late), "exit": code, "seconds": seconds},
    )


async def leaving_clients(rows: Rows) -> Fault:
    """Clients that send a request and leave, one in three with a reset."""
    number = 1000
    async with gateway(CACHE_MB="0") as (server, _), _asked(server) as client:
        source = bodies(rows, "left")

        async def leave(which: int) -> None:
            request = client.build_request("POST", "/summarize", json=next(source))
            _, writer = await asyncio.open_connection(HOST, server.port)
            length = len(request.content)
            head = f"POST /summarize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}"
            writer.write(head.encode() + b"\r\n\r\n" + request.content)
            if which % 3:
                await writer.drain()
                writer.close()
            else:
                writer.transport.abort()

        await asyncio.gather(*(leave(which) for which in range(number)))
        began = time.monotonic()
        await _until_in_engine(client, 0)
        empty = time.monotonic() - began
        reply = await ask(client, next(source))
    return Fault(
        "clients that leave",
        f"{number:,} requests, each left at once, a third by a reset",
        f"no place is held after {empty:.1f} s; the next request: {reply.outcome} after {reply.seconds:.2f} s",
        "nothing",
        empty,
        {"empty_s": empty, "next_s": reply.seconds},
    )


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    [port] = claim([(HOST, 0)])
    command = ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process, port
        finally:
            process.kill()


async def redis_faults(rows: Rows) -> Fault:
    """A Redis that hangs, then dies, and a message on its channel that is no text."""
    with tempfile.TemporaryDirectory(prefix="querygist-redis-") as folder, _redis(Path(folder)) as (redis, port):
        settings = {"REDIS_URL": f"redis://{HOST}:{port}", "REDIS_SECRET": "x" * 32}
        async with gateway(**settings) as (server, _), _asked(server) as client:
            quotes = ({**one, "style": "quote"} for one in bodies(rows, "redis"))
            well = [await ask(client, next(quotes)) for _ in range(20)]
            command = ["redis-cli", "-p", str(port), "PUBLISH", "querygist:landed", "\udcff"]  # the byte 0xff
            await asyncio.to_thread(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
            same = next(quotes)
            shared = [await ask(client, same) for _ in range(2)]
            os.kill(redis.pid, signal.SIGSTOP)
            hung = [await ask(client, next(quotes)) for _ in range(20)]
            redis.kill()
            dead = [await ask(client, next(quotes)) for _ in range(20)]
    took = {
        name: milliseconds([r.seconds for r in rs]) for name, rs in (("well", well), ("hung", hung), ("dead", dead))
    }
    return Fault(
        "Redis hangs, then dies",
        "20 quotes with a Redis that is well, stopped, killed; before that a message of one byte 0xff on its channel",
        f"{outcomes([*well, *shared, *hung, *dead])}; at most {took['well']['max']}, {took['hung']['max']} and "
        f"{took['dead']['max']} ms",
        "nothing but what was shared",
        numbers=took,
    )
