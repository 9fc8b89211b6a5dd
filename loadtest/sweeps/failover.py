"""What a client notices when a Triton is killed under load, and then a gateway, and both come back.

The client is a balancer in miniature: it asks gateways in turn, and the next one where nobody listens. A request whose
connection breaks has failed; it is not sent again. Each query is another, so nothing comes from a cache.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console
from rich.progress import Progress

from loadtest.load.arrivals import constant, poisson
from loadtest.load.traffic import MAX_WORDS
from loadtest.machine import processor
from loadtest.sweeps.cluster import Cluster, active
from querygist import json_files
from querygist.schemas import Answer

GENERATIVE = "generative"
DEADLINE = 20.0
POLL = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """One request: seconds from the start of the run, which gateway it was sent to at last, and what came of it.

    `outcome`: the answer's method, "connection" where it broke, else the HTTP status.
    """

    arrival: float
    e2el: float
    gateway: int
    outcome: str


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
    requests: tuple[Request, ...]
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
    client = httpx.AsyncClient(timeout=DEADLINE + 5, limits=httpx.Limits(max_connections=None))
    driver = _Driver(cluster, client, rows)
    steps: tuple[tuple[float, Callable[[], Awaitable[None]]], ...] = (
        (seconds / 6, driver.kill_triton),
        (seconds / 2, driver.kill_gateway),
        (seconds * 2 / 3, driver.start_gateway),
    )
    moments = list(poisson(constant(rate, seconds), seed))
    async with client:
        with Progress(console=console) as progress:
            task = progress.add_task("requests", total=len(moments))

            async def send(number: int, moment: float) -> None:
                await driver.send(number, moment)
                progress.advance(task)

            async with asyncio.TaskGroup() as group:
                for moment, step in steps:
                    group.create_task(driver.at(moment, step))
                for number, moment in enumerate(moments):
                    group.create_task(send(number, moment))
    requests = tuple(sorted(driver.requests, key=lambda one: one.arrival))
    return Failover(processor(), len(cluster.tritons), rate, seconds, seed, requests, tuple(driver.events))


class _Driver:
    """The client, and what is done to the servers meanwhile; all on one clock."""

    def __init__(self, cluster: Cluster, client: httpx.AsyncClient, rows: Sequence[Mapping[str, str]]) -> None:
        self._cluster = cluster
        self._client = client
        self._rows = rows
        self._began = time.monotonic()
        self._held: Counter[int] = Counter()  # by gateway
        self.requests: list[Request] = []
        self.events: list[Event] = []

    async def at(self, moment: float, step: Callable[[], Awaitable[None]]) -> None:
        """Do `step` at its moment."""
        await asyncio.sleep(max(0.0, self._began + moment - time.monotonic()))
        await step()

    async def kill_triton(self) -> None:
        """Its supervisor starts another one."""
        triton = self._cluster.tritons[0]
        held = await active(triton, self._client)
        triton.kill_child()
        self._note("Triton 1", "killed", held)
        while await triton.is_ready(self._client):  # the port is closed once the kernel has ended it
            await asyncio.sleep(POLL)
        await triton.ready(self._client)
        self._note("Triton 1", "is back", 0)

    async def kill_gateway(self) -> None:
        """Nobody starts it before `start_gateway`."""
        self._cluster.gateways[0].kill()
        self._note("Gateway 1", "killed", self._held[0])

    async def start_gateway(self) -> None:
        """Start the killed one again."""
        gateway = self._cluster.gateways[0]
        gateway.start()
        await gateway.ready(self._client)
        self._note("Gateway 1", "is back", 0)

    async def send(self, number: int, moment: float) -> None:
        """One request at its moment."""
        await asyncio.sleep(max(0.0, self._began + moment - time.monotonic()))
        row = self._rows[number % len(self._rows)]
        body = {"query": f"{row['query']} {number}", "document": row["document"], "max_words": MAX_WORDS}
        gateways = self._cluster.gateways
        for attempt in range(len(gateways)):
            place = (number + attempt) % len(gateways)
            self._held[place] += 1
            try:
                outcome = await self._post(gateways[place].url, body)
            except httpx.ConnectError:
                continue
            finally:
                self._held[place] -= 1
            break
        else:
            outcome = "nobody listens"
        self.requests.append(Request(moment, time.monotonic() - self._began - moment, place, outcome))

    async def _post(self, url: str, body: Mapping[str, object]) -> str:
        """The outcome. Raises ConnectError when nothing was sent."""
        headers = {"X-Deadline-Ms": str(int(1000 * DEADLINE))}
        try:
            response = await self._client.post(f"{url}/summarize", json=body, headers=headers)
        except httpx.ConnectError:
            raise
        except httpx.TransportError:
            return "connection"
        if response.status_code != 200:
            return str(response.status_code)
        return Answer.model_validate_json(response.content).method

    def _note(self, server: str, what: str, held: int) -> None:
        self.events.append(Event(time.monotonic() - self._began, server, what, held))
