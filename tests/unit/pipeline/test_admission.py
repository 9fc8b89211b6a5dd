"""pytest tests/unit/pipeline/test_admission.py"""

import asyncio
import contextlib

import pytest

from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded, Overloaded
from querygist.pipeline.admission import Admission
from querygist.pipeline.fair_queue import Caller

LONG = Deadline(float("inf"))
CALLER = Caller()


def make(places: int = 1, seats: int = 2) -> Admission:
    return Admission("in the engine", max_in_flight=places, max_waiting=seats)


class Holder:
    """A request that stays in its place until told to leave."""

    def __init__(
        self, admission: Admission, tokens: int = 100, deadline: Deadline = LONG, caller: Caller = CALLER
    ) -> None:
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._hold(admission, tokens, deadline, caller))

    async def _hold(self, admission: Admission, tokens: int, deadline: Deadline, caller: Caller) -> None:
        async with admission.enter(tokens, lambda: deadline, caller):
            self.entered.set()
            await self.leave.wait()

    async def end(self) -> None:
        self.leave.set()
        await self.task


async def settle() -> None:
    """Let every task that can run, run: admission itself never waits on time."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served() -> None:
    admission = make(places=1, seats=3)
    holders = [Holder(admission) for _ in range(4)]
    for number, holder in enumerate(holders):
        await settle()
        assert [h.entered.is_set() for h in holders] == [n <= number for n in range(4)]
        await holder.end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_full_queue_refuses_at_once_and_says_how_full() -> None:
    admission = make(places=1, seats=1)
    holders = [Holder(admission), Holder(admission)]
    await settle()
    with pytest.raises(Overloaded, match="1 requests are in the engine and 1 wait") as refused:
        async with admission.enter(10, lambda: LONG, CALLER):
            pass
    assert refused.value.retry_after
    for holder in holders:
        await holder.end()


async def test_work_that_cannot_be_done_in_time_is_refused_on_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    admission = make(places=1, seats=10)
    holder = Holder(admission, tokens=100)
    await settle()
    clock[0] += 1  # the place's speed is now known: 100 tokens a second
    await holder.end()
    holder = Holder(admission, tokens=1000)
    await settle()
    with pytest.raises(DeadlineExceeded, match=r"about 5\.0 s"):  # half of 1000 tokens are still to do
        async with admission.enter(100, lambda: Deadline(clock[0] + 5.5), CALLER, to_begin=60):
            pass
    patient = Holder(admission, tokens=100, deadline=Deadline(clock[0] + 6.5))
    await settle()
    assert admission.waiting == 1
    await holder.end()
    await patient.end()


async def begun_after(admission: Admission, clock: list[float], seconds: float | None, whole: float = 1.0) -> None:
    """A request of 60 tokens of prompt and 40 more that has text after `seconds`, and is over after `whole`."""
    async with admission.enter(100, lambda: LONG, CALLER, to_begin=60) as place:
        if seconds is not None:
            clock[0] += seconds
            place.began = clock[0]
        clock[0] += whole - (seconds or 0)


async def refused(admission: Admission, deadline: Deadline, *, prompt: int, output: int = 0) -> bool:
    """Whether such a request is, while all places are taken."""
    asked = asyncio.create_task(
        admission.enter(prompt + output, lambda: deadline, CALLER, to_begin=prompt).__aenter__()
    )
    await settle()
    if not asked.done():
        asked.cancel()
        await settle()
        return False
    assert isinstance(asked.exception(), DeadlineExceeded)
    return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


async def test_a_stream_that_would_begin_late_is_refused_on_arrival(clock: list[float]) -> None:
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, 0.5)  # 120 tokens of prompt a second until there is text, and 100 in all
    holder = Holder(admission, tokens=1000)  # 5 s are left of it
    await settle()
    for first_text, late in ((5.9, True), (6.1, False)):  # 1 s for 120 tokens of prompt
        deadline = Deadline(clock[0] + 60, first_text=clock[0] + first_text)
        assert await refused(admission, deadline, prompt=120) == late
    await holder.end()


async def test_a_request_that_waited_too_long_is_passed_over(clock: list[float]) -> None:
    """It would take the place from the next one, and be cut off in its middle."""
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, 0.5)  # 100 tokens a second
    holder = Holder(admission, tokens=100)
    await settle()
    late, patient = Holder(admission, 100, Deadline(clock[0] + 4)), Holder(admission, 100, Deadline(clock[0] + 60))
    await settle()
    clock[0] += 3.5
    holder.leave.set()
    await settle()
    assert isinstance(late.task.exception(), DeadlineExceeded)
    assert patient.entered.is_set()
    await patient.end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_who_is_followed_by_a_more_patient_one_keeps_its_turn(clock: list[float]) -> None:
    """One computation serves both: it is passed over only when the last of them would not get it any more."""
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, 0.5)  # 100 tokens a second
    holder, deadline = Holder(admission, tokens=100), Deadline(clock[0] + 4)
    await settle()

    async def flight() -> None:
        async with admission.enter(100, lambda: deadline, CALLER, to_begin=60):
            pass

    shared = asyncio.create_task(flight())
    await settle()
    clock[0] += 3.5
    deadline = deadline.latest(Deadline(clock[0] + 60))
    await holder.end()
    await shared


async def test_an_answer_begins_before_it_is_whole_whatever_was_learnt(clock: list[float]) -> None:
    """A refusal has no text until it is over, and says little of how fast prompts are read."""
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, None)  # as if 60 tokens of prompt took 1 s, and 100 tokens in all as well
    holder = Holder(admission, tokens=1000)
    await settle()
    assert not await refused(admission, Deadline(clock[0] + 7.1), prompt=200)  # whole after 5 + 2 s, begun after 8.3?
    await holder.end()


async def test_who_is_cut_off_tells_how_slow_a_place_is_at_least(clock: list[float]) -> None:
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, 0.5)

    async def cut_off(began: bool, after: float) -> None:
        async with admission.enter(100, lambda: LONG, CALLER, to_begin=60) as place:
            clock[0] += after
            place.began = clock[0] if began else None
            raise RuntimeError

    async def begins_within(seconds: float) -> bool:
        holder = Holder(admission, tokens=2)  # 0.01 s are left of it
        await settle()
        deadline = Deadline(clock[0] + 60, first_text=clock[0] + seconds)
        found = await refused(admission, deadline, prompt=120)
        holder.task.cancel()  # at once: nothing is learnt
        await settle()
        return not found

    assert await begins_within(1.02)
    with contextlib.suppress(RuntimeError):
        await cut_off(began=False, after=0.1)  # it might have begun sooner or later: nothing is known
    assert await begins_within(1.02)
    assert not await begins_within(1.0)
    with contextlib.suppress(RuntimeError):
        await cut_off(began=True, after=0.25)  # it began at 240 tokens a second: 0.8 * 120 + 0.2 * 240
    assert await begins_within(120 / 144 + 0.02)
    with contextlib.suppress(RuntimeError):
        await cut_off(began=False, after=10)  # at most 6 tokens a second
    assert not await begins_within(1.02)


async def test_an_idle_engine_takes_any_request_however_slow_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad estimate must never lock everyone out: with a free place, the estimate is not asked."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    admission = make()
    slow = Holder(admission)
    await settle()
    clock[0] += 1e6
    await slow.end()
    async with admission.enter(100, lambda: Deadline(clock[0] + 0.001), CALLER, to_begin=60):
        pass


async def test_leaving_the_queue_frees_the_seat() -> None:
    admission = make(places=1, seats=1)
    holder, waiter = Holder(admission), Holder(admission)
    await settle()
    waiter.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiter.task
    assert admission.waiting == 0
    await holder.end()
    assert admission.in_flight == 0


async def test_a_place_given_to_one_who_just_left_is_passed_on() -> None:
    admission = make(places=1, seats=2)
    holder, leaver, last = Holder(admission), Holder(admission), Holder(admission)
    await settle()
    holder.leave.set()
    await holder.task  # the place is now leaver's, which has not run yet
    leaver.task.cancel()
    await settle()
    assert last.entered.is_set()
    await last.end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_each_server_has_places_of_its_own() -> None:
    servers = 2
    admission = Admission("in the engine", max_in_flight=1, max_waiting=5, servers=lambda: servers)
    holders = [Holder(admission) for _ in range(6)]
    await settle()
    assert (admission.in_flight, admission.waiting) == (2, 4)
    servers = 4
    await holders[0].end()
    await settle()
    assert (admission.in_flight, admission.waiting) == (4, 1), "the new places, and the one that was left"
    servers = 1
    for holder in holders[1:4]:
        await holder.end()
        await settle()
        assert not holders[5].entered.is_set(), "those in flight stay, and nobody follows until they are few enough"
    assert (admission.in_flight, admission.waiting) == (1, 1)
    await holders[4].end()
    await settle()
    assert holders[5].entered.is_set()
    await holders[5].end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_who_comes_first_gets_a_new_place_first() -> None:
    servers = 1
    admission = Admission("in the engine", max_in_flight=1, max_waiting=5, servers=lambda: servers)
    first, second = Holder(admission), Holder(admission)
    await settle()
    servers = 2
    third = Holder(admission)
    await settle()
    assert [one.entered.is_set() for one in (first, second, third)] == [True, True, False]
    for one in (first, second, third):
        await one.end()


ALICE, BOB = Caller("alice"), Caller("bob")
PAGE = Caller("alice", interactive=False)


async def test_a_newcomer_waits_behind_nobodys_backlog_but_its_own() -> None:
    admission = make(places=1, seats=10)
    flood = [Holder(admission, caller=ALICE) for _ in range(6)]
    await settle()
    bob = Holder(admission, caller=BOB)
    await settle()
    await flood[0].end()
    await settle()
    assert bob.entered.is_set()
    await bob.end()
    for one in flood[1:]:
        await one.end()


async def test_the_estimate_is_of_those_who_are_before_one(clock: list[float]) -> None:
    admission = make(places=1, seats=10)
    await begun_after(admission, clock, 0.5)  # 100 tokens a second
    flood = [Holder(admission, caller=ALICE) for _ in range(6)]
    await settle()
    soon = Deadline(clock[0] + 2)
    with pytest.raises(DeadlineExceeded):
        async with admission.enter(100, lambda: soon, ALICE):
            pass
    bob = Holder(admission, deadline=soon, caller=BOB)
    await settle()
    await flood[0].end()
    await bob.end()
    for one in flood[1:]:
        await one.end()


async def test_a_full_queue_turns_away_who_has_most_in_it() -> None:
    admission = make(places=1, seats=3)
    flood = [Holder(admission, caller=ALICE) for _ in range(4)]
    await settle()
    bob = Holder(admission, caller=BOB)
    await settle()
    assert isinstance(flood[3].task.exception(), Overloaded), "the newest of the longest backlog"
    assert admission.waiting == 3
    with pytest.raises(Overloaded):
        async with admission.enter(100, lambda: LONG, ALICE):
            pass
    await flood[0].end()
    await bob.end()
    for one in flood[1:3]:
        await one.end()


async def test_interactive_requests_go_before_results_pages() -> None:
    admission = make(places=1, seats=10)
    pages = [Holder(admission, caller=PAGE) for _ in range(3)]
    await settle()
    single = Holder(admission, caller=ALICE)
    await settle()
    await pages[0].end()
    await settle()
    assert single.entered.is_set()
    await single.end()
    for one in pages[1:]:
        await one.end()


async def test_pages_hold_half_of_the_places_beside_others() -> None:
    admission = make(places=4, seats=10)
    pages = [Holder(admission, caller=PAGE) for _ in range(6)]
    await settle()
    assert sum(one.entered.is_set() for one in pages) == 3, "alone, all but the last"
    singles = [Holder(admission, caller=ALICE) for _ in range(3)]
    await settle()
    assert [one.entered.is_set() for one in singles] == [True, False, False]
    for one in pages[:2]:
        await one.end()
        await settle()
    assert all(one.entered.is_set() for one in singles)
    await singles[0].end()
    await settle()
    assert not pages[3].entered.is_set(), "the last one that is free is not for pages"
    await singles[1].end()
    await settle()
    assert [one.entered.is_set() for one in pages[3:]] == [True, False, False], "half, beside one other"
    await singles[2].end()
    await settle()
    assert [one.entered.is_set() for one in pages[3:]] == [True, True, False]
    for one in pages[2:]:
        await one.end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_flood_leaves_places_to_whoever_comes(clock: list[float]) -> None:
    admission = make(places=8, seats=20)
    await Holder(admission, caller=BOB).end()  # bob was here
    flood = [Holder(admission, caller=ALICE) for _ in range(10)]
    await settle()
    assert sum(one.entered.is_set() for one in flood) == 5
    bobs = [Holder(admission, caller=BOB) for _ in range(3)]
    await settle()
    assert [one.entered.is_set() for one in bobs] == [True, True, False], "and one for whoever comes then"
    await Holder(admission, caller=Caller("carol")).end()
    for one in bobs:
        await one.end()
    clock[0] += 61
    await flood[0].end()
    await settle()
    assert sum(one.entered.is_set() for one in flood[1:]) == 8, "nobody else was here of late"
    for one in flood[1:]:
        await one.end()


async def test_the_check_says_what_entering_would(clock: list[float]) -> None:
    admission = make(places=1, seats=1)
    await begun_after(admission, clock, 0.5)  # 100 tokens a second
    admission.check(10_000, Deadline(clock[0] + 1), ALICE, to_begin=100)  # a place is free
    holder = Holder(admission, caller=ALICE)
    await settle()
    admission.check(100, Deadline(clock[0] + 2), ALICE, to_begin=100)
    with pytest.raises(DeadlineExceeded):
        admission.check(100, Deadline(clock[0] + 1), ALICE, to_begin=100)
    assert (admission.in_flight, admission.waiting) == (1, 0)
    await holder.end()


async def test_one_who_left_is_not_turned_away_in_anothers_place() -> None:
    """Cancelled, and not yet run when the newcomer comes: no place may be lost by it."""
    admission = make(places=1, seats=1)
    holder, leaver = Holder(admission, caller=ALICE), Holder(admission, tokens=500, caller=ALICE)
    await settle()
    newcomer = Holder(admission, caller=BOB)
    leaver.task.cancel()  # the newcomer's first step is before this one's
    await settle()
    assert admission.waiting == 1
    await holder.end()
    await newcomer.end()
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_two_places_read_two_pages_at_once() -> None:
    admission = make(places=2, seats=4)
    pages = [Holder(admission, caller=PAGE) for _ in range(2)]
    await settle()
    assert all(one.entered.is_set() for one in pages)
    for one in pages:
        await one.end()
