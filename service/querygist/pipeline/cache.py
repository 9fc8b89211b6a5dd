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

from querygist.deadline import Deadline, within
from querygist.engines.base import Identity
from querygist.metrics import Metrics
from querygist.pipeline.choice import Choice
from querygist.pipeline.summary import Summary

if TYPE_CHECKING:  # an optional extra
    from querygist.pipeline.shared_cache import SharedCache

T = TypeVar("T")

_FORMAT = "4"  # of what is chosen and kept: raised with either, so that gateways of two releases share no summaries


def cache_key(
    identity: Identity,
    *,
    reader: str,
    query: str,
    document: str,
    title: str | None,
    content_type: str,
    max_words: int,
    style: str,
    scope: str,
) -> bytes:
    """Return the hash of all that a summary depends on; `query` and `document` as sent, the query normalised.

    `scope`: of those who share it; "" of everybody.
    """
    digest = hashlib.blake2b(digest_size=32)
    for part in (_FORMAT, repr(identity), reader, query, document, title, content_type, max_words, style, scope):
        encoded = repr(part).encode() if not isinstance(part, str) else part.encode()
        digest.update(f"{type(part).__name__}{len(encoded)}:".encode())
        digest.update(encoded)
    return digest.digest()


@dataclass(eq=False, slots=True)
class Flight:
    """One summary, under way or finished: what was chosen for it, its text so far, its followers, its outcome.

    `cached`: it was not computed for this flight, but before or by another gateway. `deadline`: the latest of its
    followers'.
    """

    interactive: bool = True
    pieces: list[str] = field(default_factory=list)
    choice: Choice | None = None
    queue_seconds: float = 0.0
    first_text_at: float | None = None
    followers: int = 0
    cached: bool = False
    deadline: Deadline = field(default_factory=lambda: Deadline(-inf, -inf))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _outcome: asyncio.Future[Summary] | None = None

    @classmethod
    def landed(cls, summary: Summary) -> "Flight":
        """Return the flight of a summary that is already there."""
        outcome: asyncio.Future[Summary] = asyncio.get_running_loop().create_future()
        outcome.set_result(summary)
        return cls(pieces=[summary.text] if summary.text else [], cached=True, _outcome=outcome)

    def start(self, computation: Coroutine[None, None, Summary]) -> None:
        """Run the computation, whose pieces and result followers then see."""
        self._outcome = asyncio.create_task(computation)
        self._outcome.add_done_callback(self._land)

    def publish(self, piece: str) -> None:
        """Hand a piece of text to every follower."""
        self.first_text_at = self.first_text_at or time.monotonic()
        self.pieces.append(piece)
        self._wake()

    def cancel(self) -> None:
        """Stop the computation."""
        if self._outcome is not None:
            self._outcome.cancel()

    @property
    def done(self) -> bool:
        """True when the computation has ended, well or not."""
        return self._outcome is not None and self._outcome.done()

    async def text(self, deadline: Deadline) -> AsyncIterator[str]:
        """Yield every piece from the first on, as they come; `result` tells how it ended. Raises DeadlineExceeded."""
        seen = 0
        unmet = "summary began" if deadline.first_text < deadline.at else "summary was finished"
        while True:
            changed = self._changed
            while seen < len(self.pieces):
                yield self.pieces[seen]
                seen += 1
            if self.done:
                return
            if seen:
                await within(deadline.remaining(), "summary was finished", changed.wait())
            else:
                await within(deadline.remaining_to_first_text(), unmet, changed.wait())

    async def result(self, deadline: Deadline) -> Summary:
        """Return the finished summary. Raises what the computation raised, or DeadlineExceeded."""
        if self._outcome is None:
            raise RuntimeError("start() comes first")
        # shield: this follower's deadline or disconnect ends its wait, not the others' computation
        return await within(deadline.remaining(), "summary was finished", asyncio.shield(self._outcome))

    def _land(self, outcome: asyncio.Future[Summary]) -> None:
        if not outcome.cancelled():
            outcome.exception()  # the followers see it; if none is left, it is lost on purpose
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


Compute = Callable[[Flight], Coroutine[None, None, Summary]]


class SummaryCache:
    """Finished summaries and flights, by key. For one event loop."""

    def __init__(
        self, *, max_bytes: int, ttl_seconds: float, metrics: Metrics, shared: "SharedCache | None" = None
    ) -> None:
        self._finished: TTLCache[bytes, Summary] = TTLCache(
            max_bytes, ttl_seconds, getsizeof=lambda summary: summary.size
        )
        self._flights: dict[tuple[bytes, bool], Flight] = {}
        self._shared = shared
        self._metrics = metrics
        metrics.cache_bytes.set_function(lambda: self._finished.currsize)

    @asynccontextmanager
    async def flight(
        self, key: bytes, deadline: Deadline, compute: Compute, *, interactive: bool = True
    ) -> AsyncGenerator[Flight, None]:
        """Hand out the flight of `key`: landed, if its summary is kept; joined, if it is under way; else started with
        `compute`. Leaving the block leaves the flight.

        An `interactive` request joins no document of a results page, as which it would wait in the queues.
        """
        if (summary := self._finished.get(key)) is not None:
            self._metrics.cache_hits.labels("finished").inc()
            yield Flight.landed(summary)
            return
        flight = self._flights.get((key, interactive))
        if flight is None:
            flight = self._flights[key, interactive] = Flight(interactive)
            flight.start(self._run(key, flight, compute))
        else:
            self._metrics.cache_hits.labels("in_flight").inc()
        flight.followers += 1
        flight.deadline = flight.deadline.latest(deadline)
        try:
            yield flight
        finally:
            flight.followers -= 1
            if not flight.followers and not flight.done:
                self._discard(key, flight)
                self._metrics.cancellations.inc()
                flight.cancel()

    async def _run(self, key: bytes, flight: Flight, compute: Compute) -> Summary:
        try:
            if self._shared is None:
                summary = await compute(flight)
            else:
                async with self._shared.lease(key) as lease:
                    if lease.summary is None:
                        lease.summary = await compute(flight)
                    else:
                        flight.cached = True
                        if lease.summary.text:
                            flight.publish(lease.summary.text)
                    summary = lease.summary
            if summary.lasting and summary.size <= self._finished.maxsize:
                self._finished[key] = summary
            return summary
        finally:
            self._discard(key, flight)

    def _discard(self, key: bytes, flight: Flight) -> None:
        if self._flights.get((key, flight.interactive)) is flight:
            del self._flights[key, flight.interactive]
