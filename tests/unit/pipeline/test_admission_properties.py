"""Admission under any order of events: requests arrive, finish, fail and give up; servers come and go; time passes."""

import asyncio
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, Overloaded
from querygist.pipeline.admission import Admission
from querygist.pipeline.fair_queue import Caller

PLACES, SEATS = 2, 4
SETTLED = 12
"""Turns of the event loop in which everything that can run has run."""
TURNS = st.sampled_from((0, 1, 2, SETTLED))
LONG = float("inf")


class Failed(Exception):
    """What a request's own work may raise."""


class Request:
    """Holds its place until told to leave, well or not. The only user of Admission's interface here."""

    def __init__(self, admission: Admission, tokens: int, deadline: float) -> None:
        self.entered, self._leave, self._error = False, asyncio.Event(), False
        self.task = asyncio.create_task(self._hold(admission, tokens, Deadline(deadline)))

    async def _hold(self, admission: Admission, tokens: int, deadline: Deadline) -> None:
        async with admission.enter(2 * tokens, lambda: deadline, Caller(), to_begin=tokens):
            self.entered = True
            await self._leave.wait()
            if self._error:
                raise Failed

    def leave(self, *, error: bool = False) -> None:
        """Be done when it has its place, or as soon as it gets one."""
        self._error = error
        self._leave.set()


class Crowd(RuleBasedStateMachine):
    """In flight <= places, first in first out, no place lost or lent twice, and nobody waits for ever.

    `turns` leaves the event loop in the middle of what it does: the next rule meets half-done hand-overs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now, self.servers = 1000.0, 1
        self._clock = mock.patch("time.monotonic", self.clock)
        self._clock.start()
        self.loop = asyncio.new_event_loop()
        self.admission = Admission(
            "in the engine", max_in_flight=PLACES, max_waiting=SEATS, servers=lambda: self.servers
        )
        self.crowd: list[Request] = []  # those not told to give up, in the order they came
        self.settled = True
        self.most = 0  # places there may be taken: when servers leave, those in flight stay until they are done

    def clock(self) -> float:
        return self.now

    def turn(self, turns: int = SETTLED) -> None:
        """Let the event loop go on so far: admission itself never waits on time."""
        for _ in range(turns):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        self.settled = turns == SETTLED
        if self.settled:
            self.crowd = [one for one in self.crowd if not self._over(one)]

    def _over(self, one: Request) -> bool:
        if one.task.done() and not one.task.cancelled() and (error := one.task.exception()):
            assert isinstance(error, DeadlineExceeded | Failed), (
                "a request that waited is never refused as one too many"
            )
        return one.task.done()

    @rule(tokens=st.sampled_from((1, 50, 1000)), seconds=st.sampled_from((0.5, 5.0, LONG)))
    def arrive(self, tokens: int, seconds: float) -> None:
        self.turn()
        full = self.admission.waiting == SEATS
        free = not self.admission.waiting and self.admission.in_flight < self.admission.places

        async def come() -> Request:
            return Request(self.admission, tokens, self.now + seconds)

        one = self.loop.run_until_complete(come())
        self.crowd.append(one)
        self.turn(2)
        if free:
            assert one.entered, "with a free place nobody is refused or made to wait"
        elif one.task.done():
            self.crowd.remove(one)
            refused = one.task.exception()
            assert isinstance(refused, Overloaded if full else DeadlineExceeded)
            assert full or seconds < LONG, "who has all the time in the world waits"
            assert refused.retry_after
        self.turn()
        # An arrival looks at the places anew, and so does whoever leaves.
        assert full or not self.admission.waiting or self.admission.in_flight >= self.admission.places

    @precondition(lambda self: self.crowd)
    @rule(data=st.data(), error=st.booleans(), turns=TURNS)
    def leave(self, data: st.DataObject, error: bool, turns: int) -> None:
        self._pick(data).leave(error=error)
        self.turn(turns)

    @precondition(lambda self: self.crowd)
    @rule(data=st.data(), turns=TURNS)
    def give_up(self, data: st.DataObject, turns: int) -> None:
        one = self._pick(data)
        self.crowd.remove(one)
        one.task.cancel()
        self.turn(turns)

    def _pick(self, data: st.DataObject) -> Request:
        return self.crowd[data.draw(st.integers(0, len(self.crowd) - 1))]

    @rule(servers=st.integers(1, 3))
    def servers_change(self, servers: int) -> None:
        self.servers = servers

    @rule(seconds=st.sampled_from((0.1, 1.0, 10.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def places_and_seats_are_bounded(self) -> None:
        self.most = max(self.admission.places, min(self.most, self.admission.in_flight))
        assert 0 <= self.admission.in_flight <= self.most
        assert 0 <= self.admission.waiting <= SEATS

    @precondition(lambda self: self.settled)
    @invariant()
    def first_in_first_out(self) -> None:
        entered = [one.entered for one in self.crowd]
        assert entered == sorted(entered, reverse=True), "who came later has entered, and who came earlier waits"
        assert sum(entered) == self.admission.in_flight
        assert len(entered) - sum(entered) == self.admission.waiting
        assert self.admission.in_flight or not self.admission.waiting, "somebody waits, and nobody is there to leave"

    def teardown(self) -> None:
        """All are done with their work: one after the other, everybody gets a place and leaves it, or is refused."""
        for one in self.crowd:
            one.leave()
        for _ in range(len(self.crowd) + 1):
            self.turn()
        assert self.crowd == []
        assert (self.admission.in_flight, self.admission.waiting) == (0, 0)
        self.loop.close()
        self._clock.stop()


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)
