"""One fault: what was done, what clients saw, what was lost, and how soon all was well again."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from loadtest.load.statistics import Distribution


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
    return dict(sorted(Counter(reply.outcome for reply in replies).items()))


def as_words(counts: Mapping[str, int]) -> str:
    """Return counts as words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.items())


def outcomes(replies: Sequence[Reply]) -> str:
    """Return the counts of outcomes as words."""
    return as_words(counted(replies))


def milliseconds(seconds: Sequence[float]) -> dict[str, int]:
    """Return a distribution as whole milliseconds; empty of nothing."""
    if not seconds:
        return {}
    found = Distribution.of(seconds)
    return {"p50": round(1000 * found.p50), "p95": round(1000 * found.p95), "max": round(1000 * max(seconds))}
