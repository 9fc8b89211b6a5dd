"""Kill a Triton under load, and then a gateway; both come back; keep what a client notices.

The client is a balancer in miniature: it asks gateways in turn, and the next one where nobody listens. A request whose
connection breaks has failed; it is not sent again. Each query is another, so nothing comes from a cache.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console

from loadtest.load.arrivals import constant, poisson
from loadtest.load.asyncio_client import ask, connect, open_loop, until
from loadtest.load.results import GENERATIVE, UNREACHABLE, Result, Since
from loadtest.machine import processor
from loadtest.servers import POLL_SECONDS, Cluster, metrics
from querygist import json_files

DEADLINE = 20.0
KILLED, BACK = "killed", "is back"


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

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "failover run")

    @property
    def outcomes(self) -> Counter[str]:
        """How many requests ended in which way."""
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
