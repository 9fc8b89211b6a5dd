"""What the gateway adds to Triton: the same prompts directly over gRPC and through POST /summarize, in one run.

    python -m loadtest.micro.overhead_bench [--seconds 5] [--out docs/benchmarks/overhead]

Triton runs the scripted model, which makes no forward pass: 24 tokens in four responses, at once. What is left is what
everything around the engine costs. The two ways take turns at each number of requests in flight, so that a noisy
machine is noisy for both. Everything, the measuring client too, shares the machine's cores.
"""

import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import typer
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tritonclient.grpc.aio import InferenceServerClient

from loadtest.processes import gateway, scripted_triton
from querygist import logs, settings
from querygist.artifact.manifest import Manifest
from querygist.engines.triton import protocol
from querygist.evaluation.rows import prompts, rows
from querygist.prompting.tokenizer import Tokenizer

IN_FLIGHT = (1, 16, 64, 256)
TURNS = 3
MAX_NEW_TOKENS = 80

Ask = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Result:
    """Milliseconds and requests a second, at `in_flight` requests; `added_*` is gateway minus direct."""

    in_flight: int
    direct_p50_ms: float
    direct_p99_ms: float
    gateway_p50_ms: float
    gateway_p99_ms: float
    direct_per_second: float
    gateway_per_second: float

    @property
    def added_p50_ms(self) -> float:
        """At the median."""
        return self.gateway_p50_ms - self.direct_p50_ms

    @property
    def added_p99_ms(self) -> float:
        """At the 99th percentile."""
        return self.gateway_p99_ms - self.direct_p99_ms


async def load(ask: Ask, in_flight: int, seconds: float) -> tuple[list[float], float]:
    """Closed loop: `in_flight` requests at any time. Seconds of each request, and requests a second."""
    times: list[float] = []
    numbers = itertools.count()
    end = time.perf_counter() + seconds

    async def one_after_another() -> None:
        while time.perf_counter() < end:
            began = time.perf_counter()
            await ask(next(numbers))
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return times, len(times) / (time.perf_counter() - began)


def direct(client: InferenceServerClient, asked: list[list[int]], end_id: int) -> Ask:
    """Straight to Triton, as the gateway would."""

    async def ask(number: int) -> None:
        call = protocol.stream(
            client,
            asked[number % len(asked)],
            max_new_tokens=MAX_NEW_TOKENS,
            end_id=end_id,
            lookahead=(4, 6, 4),
            request_id=str(number),
            timeout=60,
        )
        async for result, _ in call:
            protocol.read(result)

    return ask


class HttpClient:
    """POST over kept-alive connections, and no more: a full HTTP client would cost more than what is measured."""

    def __init__(self, url: str, bodies: list[dict[str, object]]) -> None:
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._bodies = bodies
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, number: int) -> None:
        """One request. Raises RuntimeError unless a generated summary comes back."""
        connected = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        reader, writer = connected
        body = json.dumps(self._bodies[number % len(self._bodies)]).encode()
        head = (
            f"POST /summarize HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"X-Deadline-Ms: 60000\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if b'"method":"generative"' not in answer:
            raise RuntimeError(answer.decode())
        self._idle.append(connected)

    def hang_up(self) -> None:
        """Close the connections: the server would, after five idle seconds."""
        while self._idle:
            self._idle.pop()[1].close()


async def measure(seconds: float) -> list[Result]:
    """Both ways at every number of requests in flight."""
    chosen = settings.load()
    manifest = Manifest.load(chosen.weights_dir)
    identity = manifest.identity(chosen.precision)
    data = rows()
    asked = prompts(data, Tokenizer(chosen.weights_dir / manifest.tokenizer.file), identity)
    bodies: list[dict[str, object]] = [
        {"query": row["query"], "document": row["document"], "max_words": 40, "fallback": "none"} for row in data
    ]
    results = []
    async with (
        scripted_triton(chosen, identity) as address,
        gateway(ENGINE="triton", TRITON_ENDPOINTS=address, CACHE_MB="0", MAX_IN_FLIGHT="256") as (
            url,
            _,
            _,
        ),
        InferenceServerClient(address) as client,
    ):
        http = HttpClient(url, bodies)
        ways = {"direct": direct(client, asked, identity.end_id), "gateway": http.ask}
        for way in ways.values():
            http.hang_up()
            await load(way, 16, 2.0)  # warm: tokenizer, allocator
        for in_flight in track(IN_FLIGHT, "in flight"):
            times: dict[str, list[float]] = {name: [] for name in ways}
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(TURNS):
                for name, way in ways.items():
                    taken, rate = await load(way, in_flight, seconds)
                    times[name] += taken
                    rates[name].append(rate)
                    http.hang_up()
            results.append(
                Result(
                    in_flight,
                    *(_milliseconds(times[name], share) for name in ways for share in (50, 99)),
                    *(round(statistics.median(rates[name]), 1) for name in ways),
                )
            )
    return results


def _milliseconds(seconds: list[float], share: int) -> float:
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 2)


def report(results: list[Result], out: Path) -> None:
    """A table for the terminal, JSON and a plot for the docs."""
    table = Table(
        "in flight", "direct p50 ms", "gateway p50", "added p50", "added p99", "direct/s", "gateway/s", "ratio"
    )
    for one in results:
        table.add_row(
            str(one.in_flight),
            *(f"{value:.2f}" for value in (one.direct_p50_ms, one.gateway_p50_ms, one.added_p50_ms, one.added_p99_ms)),
            *(f"{value:.0f}" for value in (one.direct_per_second, one.gateway_per_second)),
            f"{one.gateway_per_second / one.direct_per_second:.2f}",
        )
    Console().print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    told = [
        asdict(one) | {"added_p50_ms": round(one.added_p50_ms, 2), "added_p99_ms": round(one.added_p99_ms, 2)}
        for one in results
    ]
    out.with_suffix(".json").write_text(json.dumps({"cpus": os.cpu_count(), "results": told}, indent=1) + "\n")
    figure, (latency, rate) = plt.subplots(1, 2, figsize=(11, 4))
    names = [str(one.in_flight) for one in results]
    latency.plot(names, [one.direct_p50_ms for one in results], "o-", color="#7a8ca6", label="direct, p50")
    latency.plot(names, [one.gateway_p50_ms for one in results], "o-", color="#2f5d9b", label="gateway, p50")
    latency.set(yscale="log", ylabel="milliseconds", xlabel="requests in flight")
    rate.plot(names, [one.direct_per_second for one in results], "o-", color="#7a8ca6", label="direct")
    rate.plot(names, [one.gateway_per_second for one in results], "o-", color="#2f5d9b", label="gateway")
    rate.set(ylabel="requests a second", xlabel="requests in flight", ylim=(0, None))
    for axis in (latency, rate):
        axis.legend()
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out.with_suffix(".png"), dpi=130)


def main(
    seconds: Annotated[float, typer.Option(help="Length of one turn of one way; there are three of each.")] = 5.0,
    out: Annotated[Path, typer.Option(help="Written as OUT.json and OUT.png.")] = Path("docs/benchmarks/overhead"),
) -> None:
    """Measure, print and write."""
    logs.configure(log_format="console", level="warning")
    report(uvloop.run(measure(seconds)), out)


if __name__ == "__main__":
    typer.run(main)
