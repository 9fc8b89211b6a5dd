"""Admission: requests enter the engine, wait in a queue, or are rejected at once with the reason.

A first-in first-out queue in front of a fixed number of places. Work is measured in tokens, because a request's time
grows with them. A request that cannot be done by its deadline, or not begun by the one for its first text, is refused
on arrival, or when its turn comes: waiting and trying would only take time from others and end in the same refusal.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, Overloaded
from querygist.metrics import Metrics

SMOOTHING = 0.2
"""Weight of the newest request in the moving average of a place's speed."""


class _Speed:
    """Tokens a second of one place, as a moving average."""

    def __init__(self) -> None:
        self._value: float | None = None

    def learn(self, tokens: int, seconds: float, *, finished: bool) -> None:
        """Of a request that was cut off only this is known: its place was at most this fast."""
        speed = tokens / max(seconds, 1e-3)
        if self._value is None:
            self._value = speed if finished else None
        elif finished or speed < self._value:
            self._value += SMOOTHING * (speed - self._value)

    def seconds(self, tokens: float) -> float | None:
        """Return the seconds so many tokens take; None before the first request has shown it."""
        return None if self._value is None else tokens / self._value


@dataclass(slots=True)
class Place:
    """A request's place in the engine. `waited`: for it, in seconds; `began`: to be set when there is some text."""

    waited: float
    began: float | None = None


@dataclass(frozen=True, slots=True)
class _Waiter:
    prompt_tokens: int
    tokens: int
    deadline: Callable[[], Deadline]
    admitted: asyncio.Future[None]


class Admission:
    """`max_in_flight` places for each server, and `max_waiting` seats before them. For one event loop."""

    def __init__(
        self, *, max_in_flight: int, max_waiting: int, metrics: Metrics, servers: Callable[[], int] = lambda: 1
    ) -> None:
        """`servers` tells how many there are now; when some leave, those in flight stay until they are done."""
        self.in_flight = 0  # requests that hold a place
        self._max_in_flight = max_in_flight
        self._servers = servers
        self._max_waiting = max_waiting
        self._waiting: deque[_Waiter] = deque()
        self._running_tokens = 0
        self._metrics = metrics
        self._whole, self._beginning = _Speed(), _Speed()  # of all tokens; of the prompt's, until there is some text

    @property
    def places(self) -> int:
        """Requests that may be in the engine now."""
        return self._max_in_flight * self._servers()

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        return len(self._waiting)

    @asynccontextmanager
    async def enter(
        self, prompt_tokens: int, output_tokens: int, deadline: Callable[[], Deadline]
    ) -> AsyncGenerator[Place, None]:
        """Hold a place for a request of so many tokens.

        Raises Overloaded when the queue is full, and DeadlineExceeded when the work could not be done by `deadline`
        even if all goes as it has gone: on arrival, and when its turn comes, with the deadline of then. One computation
        may serve several deadlines, and get later ones while it waits; whoever waits for the summary watches the clock
        (see `cache.Flight`).
        """
        arrived, tokens = time.monotonic(), prompt_tokens + output_tokens
        if self.in_flight < self.places and not self._waiting:
            self.in_flight += 1
        else:
            await self._wait(prompt_tokens, tokens, deadline)
        entered = time.monotonic()
        self._running_tokens += tokens
        self._publish()
        place, finished = Place(entered - arrived), False
        try:
            yield place
            finished = True
        finally:
            left = time.monotonic()
            self._whole.learn(tokens, left - entered, finished=finished)
            # A refusal has no text, and is over almost as soon as it might have had some.
            began = place.began or left
            self._beginning.learn(prompt_tokens, began - entered, finished=finished or place.began is not None)
            self._running_tokens -= tokens
            self._leave()

    def _wait_estimate(self) -> float | None:
        """Seconds until a request that arrives now gets a place; None before the first request has finished."""
        ahead = sum(waiter.tokens for waiter in self._waiting) + self._running_tokens / 2  # half done, on average
        return self._whole.seconds(ahead / self.places)

    async def _wait(self, prompt_tokens: int, tokens: int, deadline: Callable[[], Deadline]) -> None:
        estimate = self._wait_estimate()
        if len(self._waiting) >= self._max_waiting:
            self._metrics.sheds.labels("overload").inc()
            raise Overloaded(
                f"{self.in_flight} requests are in the engine and {self.waiting} wait, the most that may. "
                "Try again later, or accept `fallback: extractive`.",
                retry_after=estimate or 1,
            )
        waiter = _Waiter(prompt_tokens, tokens, deadline, asyncio.get_running_loop().create_future())
        if estimate is not None and (refusal := self._too_late(waiter, estimate)):
            raise refusal
        self._waiting.append(waiter)
        self._admit()  # there may be more places by now
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise

    def _too_late(self, waiter: _Waiter, wait: float) -> DeadlineExceeded | None:
        """The refusal of who would not be done, or not have begun, when it gets a place in `wait` seconds."""
        done = wait + (self._whole.seconds(waiter.tokens) or 0)
        begun = min(done, wait + (self._beginning.seconds(waiter.prompt_tokens) or 0))
        deadline = waiter.deadline()
        if done <= deadline.remaining() and begun <= deadline.remaining_to_first_text():
            return None
        self._metrics.sheds.labels("deadline").inc()
        return DeadlineExceeded(
            f"After about {wait:.1f} s more in the queue, the answer would begin in {begun:.1f} s, and be whole in "
            f"{done:.1f} s. Allow more time, try again later, or accept `fallback: extractive`.",
            retry_after=wait or 1,
        )

    def _abandon(self, waiter: _Waiter) -> None:
        if not waiter.admitted.cancelled():
            if waiter.admitted.exception() is None:
                self._leave()  # given a place in the very moment it gave up: pass the place on
            return
        with suppress(ValueError):  # already passed over by _leave
            self._waiting.remove(waiter)
        self._publish()

    def _leave(self) -> None:
        self.in_flight -= 1
        self._admit()

    def _admit(self) -> None:
        """Give the free places to those who came first."""
        while self._waiting and self.in_flight < self.places:
            waiter = self._waiting.popleft()
            if waiter.admitted.done():
                continue
            if refusal := self._too_late(waiter, 0.0):
                waiter.admitted.set_exception(refusal)
            else:
                self.in_flight += 1
                waiter.admitted.set_result(None)
        self._publish()

    def _publish(self) -> None:
        self._metrics.num_requests_running.set(self.in_flight)
        self._metrics.num_requests_waiting.set(self.waiting)
