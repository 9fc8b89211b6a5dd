"""Deadlines as values: monotonic moments, handed from the headers through queue, engine and stream."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from querygist.errors import DeadlineExceeded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Moments on this process's monotonic clock, in seconds: `at`, for the whole answer; `first_text`, for a stream to
    begin. Comparable only within the process."""

    at: float
    first_text: float = inf

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative once passed."""
        return self.at - time.monotonic()

    def remaining_to_first_text(self) -> float:
        """Seconds left for the answer to begin; negative once passed."""
        return min(self.at, self.first_text) - time.monotonic()

    def earlier(self, seconds: float) -> "Deadline":
        """The same deadline, with `seconds` kept in reserve."""
        return Deadline(self.at - seconds, self.first_text - seconds)

    def latest(self, other: "Deadline") -> "Deadline":
        """Return the deadline until which anyone waits, where two wait for one answer."""
        begun = max(min(one.at, one.first_text) for one in (self, other))
        return Deadline(max(self.at, other.at), begun)


async def within(seconds: float, event: str, awaitable: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Return what `awaitable` does within so many seconds. Raises DeadlineExceeded: "before the EVENT"."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await awaitable
    except TimeoutError:
        raise DeadlineExceeded(f"The deadline passed before the {event}. Allow more time.") from None
