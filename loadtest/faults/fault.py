"""One fault: what was done, what clients saw, what was lost, and how soon all was well again."""

import contextlib
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from loadtest.load.statistics import Distribution

LIVEZ_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table; `numbers` are what the words rest on. `recovery` in seconds, None where nothing was down."""

    name: str
    injected: str
    seen: str
    lost: str
    recovery: float | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    processor: str = ""


@dataclass(slots=True)
class Watch:
    """A server watched from outside: how long /livez took, how often it failed, and most memory, MB."""

    livez: list[float] = field(default_factory=list)
    failed: int = 0
    megabytes: float = 0.0
    began_with: float = 0.0

    @property
    def slowest(self) -> float:
        """Milliseconds that the event loop was not there for /livez, at most."""
        return round(1000 * max(self.livez, default=0.0))

    @property
    def grown(self) -> int:
        """Megabytes that the gateway's process grew by, at most."""
        return round(self.megabytes - self.began_with)


@contextlib.contextmanager
def watched(url: str, pid: int) -> Generator[Watch, None, None]:
    """Ask /livez all the time, on one connection, while the block runs; in a thread, which it does not hold up."""
    gateway, watch, over = psutil.Process(pid), Watch(), threading.Event()
    watch.began_with = watch.megabytes = gateway.memory_info().rss / 1e6

    def watching() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.wait(LIVEZ_SECONDS):
                began = time.monotonic()
                try:
                    client.get("/livez").raise_for_status()
                    watch.livez.append(time.monotonic() - began)
                except httpx.HTTPError:
                    watch.failed += 1
                watch.megabytes = max(watch.megabytes, gateway.memory_info().rss / 1e6)

    thread = threading.Thread(target=watching)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or why there is none: `outcome` is a method, a problem's type, or "reset". Seconds; `queue` of them
    in the engine's queue."""

    outcome: str
    seconds: float
    queue: float = 0.0

    @classmethod
    def of(cls, body: Mapping[str, Any], seconds: float) -> "Reply":
        """Return the reply that a body of JSON is."""
        if "type" in body:
            return cls(body["type"].rpartition(":")[2], seconds)
        return cls(body["method"], seconds, body["timings_ms"]["queue"] / 1000)


async def ask(client: httpx.AsyncClient, body: Mapping[str, Any], **headers: str) -> Reply:
    """Ask for one summary."""
    began = time.monotonic()
    try:
        response = await client.post("/summarize", json=body, headers=headers)
    except httpx.TransportError:
        return Reply("reset", time.monotonic() - began)
    return Reply.of(response.json(), time.monotonic() - began)


def counted(replies: Sequence[Reply]) -> dict[str, int]:
    """Return how often each outcome came."""
    return {
        outcome: sum(reply.outcome == outcome for reply in replies) for outcome in sorted({r.outcome for r in replies})
    }


def told(counts: Mapping[str, int]) -> str:
    """Return counts as words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())


def milliseconds(seconds: Sequence[float]) -> dict[str, int]:
    """Return a distribution as whole milliseconds; empty of nothing."""
    if not seconds:
        return {}
    found = Distribution.of(seconds)
    return {"p50": round(1000 * found.p50), "p95": round(1000 * found.p95), "max": round(1000 * max(seconds))}
