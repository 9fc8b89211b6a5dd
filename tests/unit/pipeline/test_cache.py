"""The cache of summaries and the flights that compute them."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.deadline import Deadline
from querygist.engines.base import Identity
from querygist.errors import DeadlineExceeded, EngineUnavailable
from querygist.metrics import Metrics
from querygist.pipeline.cache import Flight, SummaryCache, cache_key
from querygist.pipeline.summary import Cited, Summary

IDENTITY = Identity("m", "1", "b" * 64, None, "t" * 64, "v1", 100, 2, 896, 192, "int8")
LONG = Deadline(float("inf"))


def summary(text: str = "done") -> Summary:
    cited = Cited(0, len(text), ((0, 4),), "verbatim")
    return Summary(text, True, "generative", None, (cited,), 1.0, 10, 2)


def cache(max_bytes: int = 100_000, ttl: float = 60) -> SummaryCache:
    return SummaryCache(max_bytes=max_bytes, ttl_seconds=ttl, metrics=Metrics())


class Work:
    """A computation that a test moves on by hand, and counts."""

    def __init__(self) -> None:
        self.begun, self.cancelled = 0, 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def compute(self, flight: Flight) -> Summary:
        self.begun += 1
        try:
            flight.publish("do")
            await self.go.wait()
            if self.error:
                raise self.error
            flight.publish("ne")
            return summary()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def follow(cache: SummaryCache, work: Work, key: bytes = b"k", deadline: Deadline = LONG) -> tuple[str, Summary]:
    async with cache.flight(key, deadline, work.compute) as flight:
        text = "".join([piece async for piece in flight.text(deadline)])
        return text, await flight.result(deadline)


async def kept(cache: SummaryCache, key: bytes) -> Summary | None:
    """The summary that is kept of `key`; nothing is computed."""

    async def compute(flight: Flight) -> Summary:
        raise KeyError

    async with cache.flight(key, LONG, compute) as flight:
        try:
            return await flight.result(LONG)
        except KeyError:
            return None


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_identical_requests_in_flight_are_one_computation() -> None:
    one, work = cache(), Work()
    tasks = [asyncio.create_task(follow(one, work)) for _ in range(20)]
    await settle()
    late = asyncio.create_task(follow(one, work))
    await settle()
    work.go.set()
    results = await asyncio.gather(*tasks, late)
    assert work.begun == 1
    assert all(result == ("done", summary()) for result in results)
    assert await kept(one, b"k") == summary()


async def test_a_cancelled_leader_does_not_fail_its_followers() -> None:
    one, work = cache(), Work()
    leader = asyncio.create_task(follow(one, work))
    await settle()
    follower = asyncio.create_task(follow(one, work))
    await settle()
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    work.go.set()
    assert await follower == ("done", summary())
    assert (work.begun, work.cancelled) == (1, 0)


async def test_the_last_to_leave_cancels_the_computation() -> None:
    one, work = cache(), Work()
    tasks = [asyncio.create_task(follow(one, work)) for _ in range(3)]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settle()
    assert work.cancelled == 1
    again = Work()
    again.go.set()
    assert await follow(one, again) == ("done", summary())  # nothing of the cancelled flight is left


async def test_a_follower_with_less_time_leaves_alone() -> None:
    one, work = cache(), Work()
    patient = asyncio.create_task(follow(one, work))
    await settle()
    with pytest.raises(DeadlineExceeded):
        await follow(one, work, deadline=Deadline.after(0.01))
    work.go.set()
    assert await patient == ("done", summary())
    assert work.cancelled == 0


async def test_a_failure_reaches_every_follower_and_is_not_kept() -> None:
    one, work = cache(), Work()
    work.error = EngineUnavailable("gone")
    tasks = [asyncio.create_task(follow(one, work)) for _ in range(3)]
    await settle()
    work.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [EngineUnavailable] * 3
    assert await kept(one, b"k") is None
    fine = Work()
    fine.go.set()
    assert (await follow(one, fine))[0] == "done"


async def test_memory_is_bounded_by_bytes() -> None:
    size = summary("x" * 1000).size
    one = cache(max_bytes=3 * size)
    done: Callable[[Flight], Coroutine[None, None, Summary]]

    async def done(flight: Flight) -> Summary:
        return summary("x" * 1000)

    for number in range(5):
        async with one.flight(bytes([number]), LONG, done) as flight:
            await flight.result(LONG)
    assert [await kept(one, bytes([number])) is not None for number in range(5)] == [False, False, True, True, True]


async def test_nothing_is_kept_where_nothing_may_be() -> None:
    one, work = cache(max_bytes=0), Work()
    work.go.set()
    await follow(one, work)
    assert await kept(one, b"k") is None


async def test_entries_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    one, work = cache(ttl=1e-9), Work()
    work.go.set()
    await follow(one, work)
    assert await kept(one, b"k") is None


OPTIONS = {"reader": "r", "title": None, "content_type": "text/plain", "max_words": 60, "style": "write", "scope": ""}
FIELDS = OPTIONS | {"query": "q", "document": "d"}


@pytest.mark.parametrize(
    "change",
    [
        {"query": "Q"},
        {"document": "e"},
        {"title": "t"},
        {"title": "None"},
        {"content_type": "text/html"},
        {"max_words": 61},
        {"style": "quote"},
        {"reader": "s"},
        {"scope": "alice"},
    ],
)
def test_every_option_is_in_the_key(change: dict[str, object]) -> None:
    assert cache_key(IDENTITY, **FIELDS) == cache_key(IDENTITY, **FIELDS)  # type: ignore[arg-type]
    assert cache_key(IDENTITY, **FIELDS) != cache_key(IDENTITY, **(FIELDS | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Identity)])
def test_every_part_of_the_model_is_in_the_key(field: str) -> None:
    other = dataclasses.replace(IDENTITY, **{field: "other"})
    assert cache_key(IDENTITY, **FIELDS) != cache_key(other, **FIELDS)  # type: ignore[arg-type]


@given(st.lists(st.text(), min_size=2, max_size=2), st.lists(st.text(), min_size=2, max_size=2))
def test_text_cannot_move_from_one_field_to_the_next(one: list[str], other: list[str]) -> None:
    keys = [
        cache_key(IDENTITY, query=q, document=d, **OPTIONS)  # type: ignore[arg-type]
        for q, d in (one, other)
    ]
    assert (keys[0] == keys[1]) == (one == other)


async def test_a_request_does_not_join_a_document_of_a_results_page() -> None:
    """It would wait as one in the queues. A second document of a page joins the first."""
    one, work = cache(), Work()
    async with (
        one.flight(b"k", LONG, work.compute, interactive=False) as page,
        one.flight(b"k", LONG, work.compute) as single,
        one.flight(b"k", LONG, work.compute, interactive=False) as again,
    ):
        assert page is again
        assert page is not single
        work.go.set()
        await asyncio.gather(page.result(LONG), single.result(LONG))
