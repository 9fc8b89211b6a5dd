"""The cache under any order of events: followers come and leave; computations go on, finish, fail and are cancelled."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from querygist.deadline import Deadline
from querygist.errors import EngineUnavailable
from querygist.metrics import Metrics
from querygist.pipeline.cache import Flight, SummaryCache
from querygist.pipeline.summary import Summary

LONG = Deadline(float("inf"))
SETTLED = 12
"""Turns of the event loop in which everything that can run has run."""
TURNS = st.sampled_from((0, 1, 2, SETTLED))
KEYS = st.sampled_from((b"one", b"two", b"three"))


@dataclass(eq=False)
class Computation:
    """One computation, moved on by the machine. `slow_to_stop`: it still has something to do when it is cancelled."""

    slow_to_stop: bool
    begun: int = 0
    running: bool = False
    cancelled: bool = False
    pieces: list[str] = field(default_factory=list)
    flight: Flight | None = None
    end: asyncio.Event = field(default_factory=asyncio.Event)
    error: EngineUnavailable | None = None

    async def compute(self, flight: Flight) -> Summary:
        self.begun, self.running, self.flight = self.begun + 1, True, flight
        try:
            await self.end.wait()
            if self.error:
                raise self.error
            return self.summary
        except asyncio.CancelledError:
            self.cancelled = True
            for _ in range(3 if self.slow_to_stop else 0):
                await asyncio.sleep(0)
            raise
        finally:
            self.running = False

    def publish(self, piece: str) -> None:
        assert self.flight is not None
        self.pieces.append(piece)
        self.flight.publish(piece)

    @property
    def summary(self) -> Summary:
        return Summary("".join(self.pieces), True, "generative", None, (), 1.0, prompt_tokens=10, completion_tokens=2)


async def followed(cache: SummaryCache, key: bytes, one: Computation, streams: bool) -> tuple[str, Summary]:
    """Text and summary of `key`, computed by `one` if need be. The only user of the cache's interface here."""
    async with cache.flight(key, LONG, one.compute) as flight:
        if not streams:
            summary = await flight.result(LONG)
            return summary.text, summary
        text = "".join([piece async for piece in flight.text(LONG)])
        return text, await flight.result(LONG)


@dataclass(eq=False)
class Follower:
    """A request that follows `computation`."""

    computation: Computation
    task: asyncio.Task[tuple[str, Summary]]


class Board(RuleBasedStateMachine):
    """One computation for each key at a time; all who follow it get its result or its error; the last to leave cancels
    it; and nothing is left behind.

    `turns` leaves the event loop in the middle of what it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.cache = SummaryCache(max_bytes=100_000, ttl_seconds=1e9, metrics=Metrics())
        self.computing: dict[bytes, Computation] = {}  # those that have not been told to end
        self.kept: dict[bytes, Computation] = {}
        self.computations: list[Computation] = []
        self.cancelled: list[Computation] = []
        self.settled = True
        self.followers: dict[bytes, list[Follower]] = {}  # those that have not been told to leave

    def turn(self, turns: int = SETTLED) -> None:
        """Let the event loop go on so far."""
        for _ in range(turns):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        self.settled = turns == SETTLED

    @rule(key=KEYS, slow_to_stop=st.booleans(), streams=st.booleans())
    def follow(self, key: bytes, slow_to_stop: bool, streams: bool) -> None:
        async def come() -> asyncio.Task[tuple[str, Summary]]:
            return asyncio.create_task(followed(self.cache, key, own, streams))

        own = Computation(slow_to_stop)
        self.computations.append(own)
        follows = self.kept.get(key) or self.computing.get(key) or own
        if not self.kept.get(key):
            self.computing[key] = follows
        task = self.loop.run_until_complete(come())
        self.followers.setdefault(key, []).append(Follower(follows, task))
        self.turn()
        assert follows.begun == 1
        assert own.begun == (own is follows), "what is kept or under way is not computed again"

    @precondition(lambda self: self.computing)
    @rule(data=st.data(), piece=st.sampled_from(("a", "bc")))
    def publish(self, data: st.DataObject, piece: str) -> None:
        self.computing[self._key(data)].publish(piece)

    @precondition(lambda self: self.computing)
    @rule(data=st.data(), fails=st.booleans(), turns=TURNS)
    def end(self, data: st.DataObject, fails: bool, turns: int) -> None:
        key = self._key(data)
        one = self.computing.pop(key)
        one.error = EngineUnavailable("gone") if fails else None
        one.end.set()
        if fails:
            turns = SETTLED  # whoever comes now may still join it
        else:
            self.kept[key] = one
        self.turn(turns)

    @precondition(lambda self: self.computing)
    @rule(data=st.data(), turns=TURNS)
    def leave(self, data: st.DataObject, turns: int) -> None:
        key = self._key(data)
        there = self.followers[key]
        left = there.pop(data.draw(st.integers(0, len(there) - 1)))
        left.task.cancel()
        if not there:  # the last: the flight is gone at once, although its computation may still be stopping
            for _ in range(SETTLED):
                if (key, True) in self.cache._flights:
                    self.turn(1)
            self.cancelled.append(self.computing.pop(key))
        self.turn(turns)

    def _key(self, data: st.DataObject) -> bytes:
        return data.draw(st.sampled_from(sorted(self.computing)))

    @precondition(lambda self: self.settled)
    @invariant()
    def all_that_can_end_has_ended(self) -> None:
        for key, there in self.followers.items():
            waiting = [one for one in there if not one.task.done()]
            assert all(one.computation is self.computing.get(key) for one in waiting)
            for one in there:
                if one.task.done():
                    self._check(one)
            self.followers[key] = waiting
        assert all(one.cancelled for one in self.cancelled), "nobody is there to hear of it"
        assert {key for key, _ in self.cache._flights} == set(self.computing), (
            "a flight for each computation, and none else"
        )
        assert [one for one in self.computations if one.running] == [
            one for one in self.computations if one in self.computing.values()
        ]

    def _check(self, one: Follower) -> None:
        assert one.computation.end.is_set()
        if one.computation.error:
            assert one.task.exception() is one.computation.error
        else:
            expected = one.computation.summary
            assert one.task.result() == (expected.text, expected)

    def teardown(self) -> None:
        for one in self.computing.values():
            one.end.set()
        self.kept |= self.computing
        self.computing.clear()
        self.turn()
        self.all_that_can_end_has_ended()
        assert not any(self.followers.values())
        assert self.cache._flights == {}
        for key, one in self.kept.items():
            again = Computation(slow_to_stop=False)
            assert self.loop.run_until_complete(followed(self.cache, key, again, streams=False))[1] == one.summary
            assert not again.begun
        self.loop.close()


TestBoard = Board.TestCase
TestBoard.settings = settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)
