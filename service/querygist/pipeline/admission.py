"""Admission: work enters, waits in a queue, or is rejected at once with the reason.

A fair queue in front of a fixed number of places. Work has a cost, in tokens or characters, because its time grows
with it. What cannot be done by its deadline, or not begun by the one for its first text, is refused on arrival, or when
its turn comes: waiting and trying would only take time from others and end in the same refusal.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf

from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, Overloaded
from querygist.pipeline.fair_queue import Caller, FairQueue
from querygist.pipeline.speed import Speed

BESIDE_TENANTS, BESIDE_REQUESTS = 1.5, 1.0
"""For each place that is free, how many one may hold and still take it: a tenant, where others were here of late; and
documents of results pages, while an interactive request is there. Dynamic thresholds (Choudhury, Hahne: IEEE/ACM
Transactions on Networking 6, 1998): of 8 places a flood leaves 3 to whoever comes, and has all when nobody does.
"""

FEWEST_TO_KEEP_ONE = 4
"""Places from which on the last free one is kept for a request while there are only documents of results pages."""

_OF_LATE = 60.0  # s


@dataclass(slots=True)
class Place:
    """A place that is held. `waited`: for it, in seconds; `began`: to be set when there is some text."""

    waited: float
    began: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    cost: float
    to_begin: float
    caller: Caller
    deadline: Callable[[], Deadline]
    admitted: asyncio.Future[None]


class Admission:
    """`max_in_flight` places for each server, and `max_waiting` seats before them. For one event loop.

    `where` the places are, for messages; `servers` tells how many there are now: when some leave, those in flight stay
    until they are done. `refused` is told the reason of each refusal.
    """

    def __init__(
        self,
        where: str,
        *,
        max_in_flight: int,
        max_waiting: int,
        servers: Callable[[], int] = lambda: 1,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.in_flight = 0  # requests that hold a place
        self._where = where
        self._max_in_flight = max_in_flight
        self._servers = servers
        self._max_waiting = max_waiting
        self._refused = refused
        self._queue: FairQueue[_Waiter] = FairQueue()
        self._pages_in_flight = 0
        self._held: Counter[str] = Counter()  # places, by tenant
        self._newest = self._other = ("", -inf)  # the tenants that were here last, and when
        self._running_cost = 0.0
        self._whole, self._beginning = Speed(), Speed()  # of all of the work; of what comes before its first text

    @property
    def places(self) -> int:
        """Requests that may hold a place now."""
        return self._max_in_flight * self._servers()

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        return len(self._queue)

    @asynccontextmanager
    async def enter(
        self, cost: float, deadline: Callable[[], Deadline], caller: Caller, *, to_begin: float | None = None
    ) -> AsyncGenerator[Place, None]:
        """Hold a place for work of this cost, `to_begin` of it before its first text (all, unless told).

        Raises Overloaded when the queue is full, and DeadlineExceeded when the work could not be done by `deadline`
        even if all goes as it has gone: on arrival, and when its turn comes, with the deadline of then. One computation
        may serve several deadlines, and get later ones while it waits; whoever waits for the summary watches the clock
        (see `cache.Flight`).
        """
        arrived = time.monotonic()
        self._see(caller.tenant, arrived)
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(cost, cost if to_begin is None else to_begin, caller, deadline, admitted)
        await self._wait(waiter)
        entered = time.monotonic()
        place, finished = Place(entered - arrived), False
        try:
            yield place
            finished = True
        finally:
            left = time.monotonic()
            self._whole.learn(cost, left - entered, finished=finished)
            # A refusal has no text, and is over almost as soon as it might have had some.
            began = place.began or left
            self._beginning.learn(waiter.to_begin, began - entered, finished=finished or place.began is not None)
            self._leave(waiter)

    def check(self, cost: float, deadline: Deadline, caller: Caller, *, to_begin: float) -> None:
        """Raise DeadlineExceeded where `enter` would, for work before which there is other work to do: in overload that
        would be in vain.
        """
        if self.in_flight < self.places and self._may_enter(caller):
            return
        wait = self._wait_estimate(caller)
        if wait is not None and (late := self._too_late(cost, to_begin, deadline, wait)):
            self._refused(late.reason)
            raise late

    async def _wait(self, waiter: _Waiter) -> None:
        estimate = self._wait_estimate(waiter.caller)
        self._queue.push(waiter)
        self._admit(arriving=waiter)  # with a place for it nothing else is asked: an estimate may be wrong
        if waiter.admitted.done():
            return
        if self.waiting > self._max_waiting:
            self._forget_those_who_left()
        if self.waiting > self._max_waiting:
            self._refuse(self._queue.last_in_line(waiter), self._overloaded(estimate))
        elif estimate is not None and (late := self._too_late_now(waiter, estimate)):
            self._refuse(waiter, late)
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise

    def _forget_those_who_left(self) -> None:
        """Take out those who have given up, and whose tasks have not run since."""
        for waiter in [waiter for waiter in self._queue if waiter.admitted.done()]:
            self._queue.remove(waiter)

    def _wait_estimate(self, caller: Caller) -> float | None:
        """Seconds until a request that arrives now gets a place; None before the first one has finished."""
        ahead = self._queue.cost_ahead(caller) + self._running_cost / 2  # half done, on average
        share = BESIDE_TENANTS / (1 + BESIDE_TENANTS) if self._has_company(caller) else 1.0
        return self._whole.seconds(ahead / max(1, share * self.places))

    def _too_late_now(self, waiter: _Waiter, wait: float) -> DeadlineExceeded | None:
        return self._too_late(waiter.cost, waiter.to_begin, waiter.deadline(), wait)

    def _too_late(self, cost: float, to_begin: float, deadline: Deadline, wait: float) -> DeadlineExceeded | None:
        """The refusal of work that would not be done, or not have begun, when it gets a place in `wait` seconds."""
        done = wait + (self._whole.seconds(cost) or 0)
        begun = min(done, wait + (self._beginning.seconds(to_begin) or 0))
        if done <= deadline.remaining() and begun <= deadline.remaining_to_first_text():
            return None
        return DeadlineExceeded(
            f"After about {wait:.1f} s more in the queue, the answer would begin in {begun:.1f} s, and be whole in "
            f"{done:.1f} s. Allow more time, try again later, or accept `fallback: extractive`.",
            retry_after=wait or 1,
        )

    def _overloaded(self, estimate: float | None) -> Overloaded:
        return Overloaded(
            f"{self.in_flight} requests are {self._where} and {self._max_waiting} wait, the most that may. "
            "Try again later, or accept `fallback: extractive`.",
            retry_after=estimate or 1,
        )

    def _refuse(self, waiter: _Waiter, error: Overloaded | DeadlineExceeded) -> None:
        self._queue.remove(waiter)
        self._refused(error.reason)
        waiter.admitted.set_exception(error)

    def _abandon(self, waiter: _Waiter) -> None:
        if not waiter.admitted.cancelled():
            if waiter.admitted.exception() is None:
                self._leave(waiter)  # given a place in the very moment it gave up: pass the place on
            return
        with suppress(ValueError):  # already passed over
            self._queue.remove(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        self.in_flight -= 1
        self._held -= Counter([waiter.caller.tenant])  # which forgets zeros
        self._pages_in_flight -= not waiter.caller.interactive
        self._running_cost -= waiter.cost
        self._admit()

    def _admit(self, arriving: _Waiter | None = None) -> None:
        """Give the free places to those whose turn it is."""
        while self.in_flight < self.places and (waiter := self._queue.first(self._may_enter)):
            if waiter.admitted.done():  # it has given up, and not yet run
                self._queue.remove(waiter)
            elif waiter is not arriving and (late := self._too_late_now(waiter, 0.0)):
                self._refuse(waiter, late)
            else:
                self._queue.remove(waiter)
                self._queue.charge(waiter)
                self.in_flight += 1
                self._held[waiter.caller.tenant] += 1
                self._pages_in_flight += not waiter.caller.interactive
                self._running_cost += waiter.cost
                waiter.admitted.set_result(None)

    def _may_enter(self, caller: Caller) -> bool:
        """True where the caller may take one of the places that are free."""
        free = self.places - self.in_flight
        if not caller.interactive:
            if not self._queue.has_interactive and self.in_flight == self._pages_in_flight:
                return free > 1 or self.places < FEWEST_TO_KEEP_ONE
            if self._pages_in_flight and self._pages_in_flight >= BESIDE_REQUESTS * free:
                return False
        held = self._held[caller.tenant]
        return not held or held < BESIDE_TENANTS * free or not self._has_company(caller)

    def _see(self, tenant: str, now: float) -> None:
        if tenant != self._newest[0]:
            self._other = self._newest
        self._newest = (tenant, now)

    def _has_company(self, caller: Caller) -> bool:
        """True where other tenants were here of late."""
        _, at = self._newest if self._newest[0] != caller.tenant else self._other
        return time.monotonic() - at < _OF_LATE
