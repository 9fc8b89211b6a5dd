"""pytest tests/unit/pipeline/test_text_work.py"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from querygist.deadline import Deadline
from querygist.errors import DeadlineExceeded
from querygist.metrics import Metrics
from querygist.pipeline.fair_queue import Caller
from querygist.pipeline.text_work import LONG_CHARACTERS, LONGEST_CHARACTERS, OFFLOAD_CHARACTERS, TextWork

LONG = LONG_CHARACTERS + 1
ALICE, BOB = Caller("alice"), Caller("bob")


def patience() -> Deadline:
    return Deadline.after(60)


@pytest.fixture
def texts() -> TextWork:
    return TextWork(Metrics(), max_waiting=8)


class Work:
    """Work that goes on until it is let go, and tells the order in which it began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go, self.running = threading.Event(), threading.Event()

    def named(self, name: str) -> Callable[[], str]:
        def work() -> str:
            self.begun.append(name)
            self.running.set()
            self.go.wait(10)
            return name

        return work


async def begun(work: Work) -> None:
    await asyncio.to_thread(work.running.wait, 10)


async def test_short_texts_are_worked_on_at_once(texts: TextWork) -> None:
    assert await texts.run(OFFLOAD_CHARACTERS, threading.get_ident, ALICE, patience) == threading.get_ident()
    assert await texts.run(LONG, threading.get_ident, ALICE, patience) != threading.get_ident()


async def test_a_newcomer_does_not_wait_behind_anothers_batch(texts: TextWork) -> None:
    work = Work()
    batch = [asyncio.create_task(texts.run(LONG, work.named(f"alice {n}"), ALICE, patience)) for n in range(4)]
    await begun(work)
    bob = asyncio.create_task(texts.run(LONG, work.named("bob"), BOB, patience))
    await asyncio.sleep(0)
    work.go.set()
    await asyncio.gather(bob, *batch)
    assert work.begun[:2] == ["alice 0", "bob"]


async def test_work_that_has_been_left_is_dropped(texts: TextWork) -> None:
    work = Work()
    first, left = (asyncio.create_task(texts.run(LONG, work.named(name), ALICE, patience)) for name in "ab")
    await begun(work)
    left.cancel()
    work.go.set()
    await asyncio.gather(first, left, return_exceptions=True)
    assert await texts.run(LONG, lambda: "c", ALICE, patience) == "c"
    assert work.begun == ["a"]


async def test_work_that_would_be_late_is_refused(texts: TextWork, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("querygist.pipeline.admission.time.monotonic", lambda: clock[0])

    def second() -> None:
        clock[0] += 1

    await texts.run(LONG, second, ALICE, patience)  # so many characters a second
    work = Work()
    first = asyncio.create_task(texts.run(4 * LONG - 4, work.named("first"), ALICE, patience))
    await begun(work)
    with pytest.raises(DeadlineExceeded, match=r"about 2\.0 s"):
        await texts.run(LONG, work.named("late"), BOB, lambda: Deadline(clock[0] + 2.5))
    work.go.set()
    await first
    assert work.begun == ["first"]


async def test_the_longest_texts_do_not_hold_up_shorter_ones(texts: TextWork) -> None:
    work = Work()
    longest = asyncio.create_task(texts.run(LONGEST_CHARACTERS, work.named("longest"), ALICE, patience))
    await begun(work)
    assert await texts.run(LONGEST_CHARACTERS - 1, lambda: "long", ALICE, patience) == "long"
    work.go.set()
    await longest


async def test_the_thread_is_taken_until_what_was_left_ends(texts: TextWork) -> None:
    work = Work()
    left = asyncio.create_task(texts.run(LONG, work.named("left"), ALICE, patience))
    await begun(work)
    left.cancel()
    next_one = asyncio.create_task(texts.run(LONG, work.named("next"), ALICE, patience))
    await asyncio.gather(left, return_exceptions=True)
    assert texts._long.admission.waiting == 1
    work.go.set()
    assert await next_one == "next"
    assert texts._long.admission.in_flight == 0


async def test_nothing_is_begun_after_the_deadline(texts: TextWork) -> None:
    work = Work()
    with pytest.raises(DeadlineExceeded):
        await texts.run_by(Deadline.after(-1), LONG, work.named("late"), ALICE)
    assert await texts.run_by(Deadline.after(-1), OFFLOAD_CHARACTERS, lambda: "short", ALICE) == "short"
    assert work.begun == []


async def test_short_texts_take_turns_by_tenant_and_are_never_refused() -> None:
    texts, work = TextWork(Metrics(), max_waiting=0), Work()
    work.go.set()
    ask = partial(texts.run, LONG_CHARACTERS)
    flood = [asyncio.create_task(ask(work.named("alice"), ALICE, lambda: Deadline(0))) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.create_task(ask(work.named("bob"), BOB, patience)), *flood)
    assert work.begun.index("bob") < 5
