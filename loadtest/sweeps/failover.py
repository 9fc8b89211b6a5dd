"""Kill a Triton under load, and then a gateway; both come back; keep what a client notices.

The client is a balancer in miniature: it asks gateways in turn, and the next one where nobody listens. A request whose
connection breaks has failed; it is not sent again. Each query is another, so nothing comes from a cache.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from pathlib import Path

import httpx
from rich.console import Console

from loadtest.load.arrivals import constant, poisson
from loadtest.load.asyncio_client import ask, connect, open_loop, until
from loadtest.load.results import GENERATIVE, UNREACHABLE, Result, Since
from loadtest.load.statistics import Distribution
from loadtest.machine import processor
from loadtest.servers import POLL_SECONDS, Cluster, metrics
from querygist.evaluation import report_files
from querygist.evaluation.report_files import table

DEADLINE = 20.0
KILLED, BACK = "killed", "is back"
NAME, PAGE = "failover", "report"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done to a server, and how many requests it held then; for "is back" 0."""

    moment: float
    server: str
    what: str
    held: int


@dataclass(frozen=True, slots=True)
class Failover:
    """A whole run, as it is kept."""

    processor: str
    size: int
    rate: float
    seconds: float
    seed: int
    requests: tuple[Result, ...]
    events: tuple[Event, ...]

    @property
    def outcomes(self) -> Counter[str]:
        """Number of requests by the way they ended."""
        return Counter(one.outcome for one in self.requests)

    @property
    def held(self) -> int:
        """Requests that the killed servers held, added up."""
        return sum(event.held for event in self.events)

    @property
    def not_generated(self) -> int:
        """Requests that the model did not answer."""
        return len(self.requests) - self.outcomes[GENERATIVE]


async def run(
    cluster: Cluster, rows: Sequence[Mapping[str, str]], *, rate: float, seconds: float, seed: int, console: Console
) -> Failover:
    """Send for `seconds`; after a sixth of them kill a Triton, after half of them a gateway, started again after two
    thirds.
    """
    moments = list(poisson(constant(rate, seconds), seed))
    held: Counter[int] = Counter()  # by gateway
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=10))
        clients = [
            await stack.enter_async_context(connect(gateway.url, deadline=DEADLINE)) for gateway in cluster.gateways
        ]

        async def send(number: int, moment: float, since: Since) -> Result:
            row = rows[number % len(rows)]
            for attempt in range(len(clients)):
                place = (number + attempt) % len(clients)
                held[place] += 1
                result = await ask(
                    clients[place], f"{row['query']} {number}", row["document"], arrival=moment, since=since
                )
                held[place] -= 1
                if result.outcome != UNREACHABLE:
                    break
            return replace(result, gateway=place)

        faults = _Faults(cluster, http, held)
        requests, *_ = await asyncio.gather(
            open_loop(moments, send, faults.began, console),
            faults.kill_triton(seconds / 6),
            faults.kill_gateway(seconds / 2, back=seconds * 2 / 3),
        )
    return Failover(processor(), len(cluster.tritons), rate, seconds, seed, tuple(requests), tuple(faults.events))


class _Faults:
    """Done to the first server of each kind, at seconds from `began`; `events` tell of it."""

    def __init__(self, cluster: Cluster, http: httpx.AsyncClient, held: Mapping[int, int]) -> None:
        self.began = time.monotonic()
        self.events: list[Event] = []
        self._triton, self._gateway = cluster.tritons[0], cluster.gateways[0]
        self._http = http
        self._held = held

    async def kill_triton(self, moment: float) -> None:
        """Its supervisor starts another one."""
        await until(self.began + moment)
        active = (await metrics(self._http, self._triton.url)).get("querygist_batcher_active_requests", 0)
        self._triton.kill_child()
        self._note("Triton 1", KILLED, int(active))
        while await self._triton.is_ready(self._http):  # the port is closed once the kernel has ended it
            await asyncio.sleep(POLL_SECONDS)
        await self._triton.ready(self._http)
        self._note("Triton 1", BACK)

    async def kill_gateway(self, moment: float, back: float) -> None:
        """Nobody starts it before `back`."""
        await until(self.began + moment)
        self._gateway.kill()
        self._note("Gateway 1", KILLED, self._held[0])
        await until(self.began + back)
        self._gateway.start()
        await self._gateway.ready(self._http)
        self._note("Gateway 1", BACK)

    def _note(self, server: str, what: str, held: int = 0) -> None:
        self.events.append(Event(time.monotonic() - self.began, server, what, held))


def write(found: Failover, out: Path) -> Path:
    """Write report.md and failover.json."""
    return report_files.write(out, NAME, sections=_sections(found), data=found, markdown=PAGE)


def verdict(found: Failover) -> str:
    """Say in a sentence what the client noticed."""
    kept = found.not_generated <= found.held
    return (
        f"{found.not_generated} of {len(found.requests)} requests were not answered by the model; the killed servers "
        f"held {found.held} when they were killed: {'none' if kept else 'some'} beyond these were hurt."
    )


def _sections(found: Failover) -> Iterator[str]:
    yield "# A Triton and a gateway killed under load"
    yield (
        f"{found.size} gateways before {found.size} CPU Tritons with the real model, all on one machine "
        f"({found.processor}), {found.rate:g}/s (Poisson, seed {found.seed}) for {found.seconds:g} s. "
        "The client asks gateways in turn, and the next one where nobody listens; it sends nothing twice. Made by "
        "`python -m loadtest failover`."
    )
    yield verdict(found)
    yield table(["from", "on", "requests", "outcomes", "E2EL p50", "worst"], _phases(found))
    yield "\n".join(
        f"- {event.moment:.1f} s: {event.server} {event.what}"
        + (f", requests in it: {event.held}." if event.what == KILLED else ".")
        for event in found.events
    )


def _phases(found: Failover) -> Iterator[list[object]]:
    """A row for the requests between an event and the next."""
    edges = [(0.0, "start"), *((event.moment, f"{event.server} {event.what}") for event in found.events)]
    for (begin, name), (end, _) in pairwise([*edges, (inf, "")]):
        some = [one for one in found.requests if begin <= one.arrival < end]
        if some:
            outcomes = Counter(one.outcome for one in some).items()
            e2el = [one.e2el for one in some]
            told = ", ".join(f"{outcome} {count}" for outcome, count in outcomes)
            yield [f"{begin:.1f} s", name, len(some), told, f"{Distribution.of(e2el).p50:.2f} s", f"{max(e2el):.2f} s"]
