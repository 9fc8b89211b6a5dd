"""Same query, document, options and model: one computation, then hits.

Two parts: finished summaries in memory (bounded by bytes, with a time to live), and flights: computations under way
that any number of identical requests follow. A flight belongs to nobody: it goes on while anyone follows it and is
cancelled when the last follower leaves, so a leader that hangs up costs its followers nothing. Where gateways share a
cache, a flight first looks there.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, TypeVar

from cachetools import TTLCache

from querygist.deadline import Deadline
from querygist.engines.base import Identity
from querygist.errors import DeadlineExceeded
from querygist.metrics import Metrics
from querygist.pipeline.summary import Summary

if TYPE_CHECKING:  # an optional extra
    from querygist.pipeline.shared_cache import SharedCache

T = TypeVar("T")


def cache_key(
    identity: Identity, *, query: str, document: str, title: str | None, content_type: str, max_words: int
) -> bytes:
    """What a summary depends on, hashed. `query` and `document` as the caller sent them, after query normalisation."""
    digest = hashlib.blake2b(digest_size=32)
    for part in (repr(identity), query, document, title, content_type, max_words):
        encoded = repr(part).encode() if not isinstance(part, str) else part.encode()
        digest.update(f"{type(part).__name__}{len(encoded)}:".encode())
        digest.update(encoded)
    return digest.digest()


@dataclass(eq=False, slots=True)
class Flight:
    """One computation under way: the text so far, its followers, and its end. `cached`: another gateway computed it."""

    pieces: list[str] = field(default_factory=list)
    queue_seconds: float = 0.0
    first_text_at: float | None = None
    followers: int = 0
    cached: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(-inf, -inf))  # the latest of its followers'
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[Summary] | None = None

    def publish(self, piece: str) -> None:
        """Hand a piece of text to every follower."""
        self.first_text_at = self.first_text_at or time.monotonic()
        self.pieces.append(piece)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def launch(self, computation: Coroutine[None, None, Summary]) -> None:
        """Start the computation, whose pieces and result followers then see."""
        self._task = asyncio.create_task(computation)
        self._task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[Summary]) -> None:
        if not task.cancelled():
            task.exception()  # seen by the followers; if none is left, nobody needs to hear of it
        self._wake()

    @property
    def done(self) -> bool:
        """Whether the computation has ended, well or not."""
        return self._task is not None and self._task.done()

    def cancel(self) -> None:
        """Stop the computation."""
        if self._task is not None:
            self._task.cancel()

    async def text(self, deadline: Deadline) -> AsyncIterator[str]:
        """Every piece from the first on, as they come; how it ended, `result` tells. Raises DeadlineExceeded."""
        seen = 0
        while True:
            changed = self._changed
            while seen < len(self.pieces):
                yield self.pieces[seen]
                seen += 1
            if self.done:
                return
            if seen:
                await _within(deadline.remaining(), "was finished", changed.wait())
            else:
                await _within(deadline.remaining_to_first_text(), "began", changed.wait())

    async def result(self, deadline: Deadline) -> Summary:
        """The finished summary. Raises what the computation raised, or DeadlineExceeded."""
        if self._task is None:
            raise RuntimeError("launch() comes first")
        # shield: this follower's deadline or disconnect ends its wait, not the others' computation
        return await _within(deadline.remaining(), "was finished", asyncio.shield(self._task))


async def _within(seconds: float, what: str, awaitable: Coroutine[None, None, T] | asyncio.Future[T]) -> T:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await awaitable
    except TimeoutError:
        raise DeadlineExceeded(f"The deadline passed before the summary {what}. Allow more time.") from None


class SummaryCache:
    """Finished summaries and flights, by key. For one event loop."""

    def __init__(
        self, *, max_bytes: int, ttl_seconds: float, metrics: Metrics, shared: "SharedCache | None" = None
    ) -> None:
        self._finished: TTLCache[bytes, Summary] = TTLCache(
            max_bytes, ttl_seconds, getsizeof=lambda summary: summary.size
        )
        self._flights: dict[bytes, Flight] = {}
        self._shared = shared
        self._metrics = metrics
        metrics.cache_bytes.set_function(lambda: self._finished.currsize)

    def get(self, key: bytes) -> Summary | None:
        """A finished summary, if one is kept."""
        summary = self._finished.get(key)
        if summary is not None:
            self._metrics.cache_hits.labels("finished").inc()
        return summary

    @asynccontextmanager
    async def follow(
        self, key: bytes, deadline: Deadline, compute: Callable[[Flight], Coroutine[None, None, Summary]]
    ) -> AsyncGenerator[Flight, None]:
        """Join the flight of `key`, or start one with `compute`. Leaving the block leaves the flight."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight()
            flight.launch(self._keep(key, flight, compute))
        else:
            self._metrics.cache_hits.labels("in_flight").inc()
        flight.followers += 1
        flight.deadline = flight.deadline.latest(deadline)
        try:
            yield flight
        finally:
            flight.followers -= 1
            if not flight.followers and not flight.done:
                self._forget(key, flight)
                self._metrics.cancellations.inc()
                flight.cancel()

    async def _keep(
        self, key: bytes, flight: Flight, compute: Callable[[Flight], Coroutine[None, None, Summary]]
    ) -> Summary:
        try:
            summary = await self._found_or_computed(key, flight, compute)
            if summary.size <= self._finished.maxsize:
                self._finished[key] = summary
            return summary
        finally:
            self._forget(key, flight)

    async def _found_or_computed(
        self, key: bytes, flight: Flight, compute: Callable[[Flight], Coroutine[None, None, Summary]]
    ) -> Summary:
        if self._shared is None:
            return await compute(flight)
        found = await self._shared.once(key, lambda: compute(flight))
        flight.cached = found.cached
        if found.cached and found.summary.text:
            flight.publish(found.summary.text)
        return found.summary

    def _forget(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
