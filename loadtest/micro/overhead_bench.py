"""Measure what the gateway adds to Triton: the same prompts over gRPC and through POST /summarize, in one run.

Triton runs the scripted model, which makes no forward pass: 24 tokens in four responses, at once. What is left is what
everything around the engine costs. The two ways take turns at each number of requests in flight, so that a noisy
machine is noisy for both. Everything, the measuring client too, shares the machine's cores; the client of the
gateway's way is a bare one, since httpx takes more than what is measured (with 256 in flight, 44 requests a second were
left of 435).
"""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from tritonclient.grpc.aio import InferenceServerClient

from loadtest.load.asyncio_client import closed_loop, stopwatch
from loadtest.load.statistics import Distribution
from loadtest.load.traffic import MAX_WORDS
from loadtest.servers import gateway, scripted_triton
from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.deadline import Deadline
from querygist.engines.base import GenerationRequest
from querygist.engines.triton import protocol
from querygist.errors import QuerygistError
from querygist.evaluation import report_files
from querygist.evaluation.report_files import table
from querygist.evaluation.rows import prompts, rows
from querygist.prompting.tokenizer import Tokenizer
from querygist.triton_server.server_process import HOST

IN_FLIGHT = (1, 16, 64, 256)
TURNS = 3
MAX_NEW_TOKENS = 80
DEADLINE = 60.0

Send = Callable[[int], Awaitable[float]]
"""Sends the request of a number; the seconds it took."""


def direct(client: InferenceServerClient, asked: Sequence[list[int]], end_id: int) -> Send:
    """Straight to Triton, as the gateway would."""

    async def send(number: int) -> float:
        since, ids = stopwatch(), asked[number % len(asked)]
        request = GenerationRequest(ids, MAX_NEW_TOKENS, Deadline.after(DEADLINE), str(number))
        async for result, _ in protocol.stream(client, request, end_id=end_id, lookahead=(4, 6, 4)):
            protocol.read(result)
        return since()

    return send


class HttpClient:
    """POST over kept-alive connections, and no more."""

    def __init__(self, port: int, data: Sequence[dict[str, str]]) -> None:
        self._port = port
        bodies = ({"query": row["query"], "document": row["document"], "max_words": MAX_WORDS} for row in data)
        self._bodies = [json.dumps(body | {"fallback": "none"}).encode() for body in bodies]
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, number: int) -> float:
        """One request. Raises QuerygistError unless a generated summary comes back."""
        since, body = stopwatch(), self._bodies[number % len(self._bodies)]
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(HOST, self._port)
        head = (
            f"POST /summarize HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
            f"X-Deadline-Ms: {1000 * DEADLINE:.0f}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if b'"method":"generative"' not in answer:
            raise QuerygistError(f"The gateway did not answer by the model: {answer.decode()}.")
        self._idle.append((reader, writer))
        return since()

    def hang_up(self) -> None:
        """Close the connections: the server would, after five idle seconds."""
        while self._idle:
            self._idle.pop()[1].close()


async def run(seconds: float, out: Path, console: Console) -> None:
    """Measure both ways, in turns of `seconds`, and write OUT.md and OUT.json."""
    chosen = settings.load()
    manifest = Manifest.load(chosen.weights_dir)
    identity = manifest.identity(chosen.precision)
    data = rows()
    asked = prompts(data, Tokenizer(chosen.weights_dir / manifest.tokenizer.file), identity)
    async with (
        scripted_triton(chosen, identity) as address,
        gateway(ENGINE="triton", TRITON_ENDPOINTS=address, CACHE_MB="0", MAX_IN_FLIGHT="256") as (server, _),
        InferenceServerClient(address) as triton,
    ):
        http = HttpClient(server.port, data)
        ways = {"direct": direct(triton, asked, identity.end_id), "gateway": http.send}
        for way in ways.values():
            await _turn(way, 16, 2.0)  # warm: tokenizer, allocator
        measured = []
        for load in track(IN_FLIGHT, "in flight", console=console):
            http.hang_up()
            measured.append(await _measure(ways, http, load, seconds))
    report(measured, out, console)


async def _turn(way: Send, in_flight: int, seconds: float) -> tuple[list[float], float]:
    """Seconds of each request, and requests a second."""
    end = time.monotonic() + seconds
    numbers = itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())
    times, elapsed = await closed_loop(map(way, numbers), in_flight)
    return times, len(times) / elapsed


async def _measure(ways: dict[str, Send], http: HttpClient, in_flight: int, seconds: float) -> dict[str, float]:
    """Milliseconds and requests a second, at `in_flight` requests; `added_*` is gateway minus direct."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _, name in itertools.product(range(TURNS), ways):
        taken, rate = await _turn(ways[name], in_flight, seconds)
        times[name] += taken
        rates[name].append(rate)
        http.hang_up()
    found: dict[str, float] = {"in_flight": in_flight}
    for name in ways:
        taken_ms = Distribution.of([1000 * taken for taken in times[name]])
        found |= {f"{name}_p50_ms": taken_ms.p50, f"{name}_p99_ms": taken_ms.p99}
        found[f"{name}_per_second"] = statistics.median(rates[name])
    for share in ("p50_ms", "p99_ms"):
        found[f"added_{share}"] = found[f"gateway_{share}"] - found[f"direct_{share}"]
    return {name: round(value, 2) for name, value in found.items()}


def report(measured: Sequence[dict[str, float]], out: Path, console: Console) -> None:
    """Print and write the comparison."""
    header = [name.replace("_", " ") for name in measured[0]]
    sections = ["# What the gateway adds to Triton", table(header, (list(one.values()) for one in measured))]
    console.print(sections[1])
    data = {"cpus": os.cpu_count(), "results": measured}
    report_files.write(out.parent, out.stem, sections=sections, data=data)
