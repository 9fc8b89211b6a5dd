"""Spreading requests over Triton servers, and retrying them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest, Identity, Status
from querygist.engines.triton.engine import RETRY_BURST, RETRY_SHARE, TritonEngine
from querygist.errors import DeadlineExceeded, EngineUnavailable, Overloaded, ServiceError

IDENTITY = Identity("m", "1", "b" * 64, None, "t" * 64, "v1", 100, 2, 896, 192, "int8")
CHUNKS = (Chunk((5, 6)), Chunk((7,), finished="stop"))


class Double:
    """An endpoint by script: ends with `error` after `begin` chunks; held back until `gate` is set."""

    def __init__(self, address: str, *, load: int = 0, error: ServiceError | None = None, begin: int = 0) -> None:
        self.address = address
        self.load = load
        self.last_error: EngineUnavailable | None = None
        self.error = error
        self.begin = begin
        self.asked: list[str] = []
        self.life: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def start(self) -> None:
        self.life.append("started")

    async def close(self) -> None:
        self.life.append("closed")

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request.request_id)
        if self.last_error is not None:
            raise self.last_error
        self.load += 1
        try:
            await self.gate.wait()
            for number, chunk in enumerate(CHUNKS):
                if self.error is not None and number == self.begin:
                    raise self.error
                yield chunk
        finally:
            self.load -= 1


def engine_of(*doubles: Double) -> TritonEngine:
    one = TritonEngine(IDENTITY, [], plain=False, stall_seconds=1)
    one._pool.endpoints = list(doubles)  # type: ignore[arg-type]
    return one


async def ask(engine: TritonEngine, key: str = "a") -> list[Chunk]:
    deadline = Deadline.after(60)
    return [chunk async for chunk in engine.generate(GenerationRequest([1], 9, deadline, key))]


def ill(address: str) -> Double:
    one = Double(address)
    one.last_error = EngineUnavailable(f"{address} is out of reach.", retry_after=5)
    return one


async def test_the_least_loaded_is_chosen() -> None:
    doubles = [Double("a", load=3), Double("b", load=1), Double("c", load=2)]
    engine = engine_of(*doubles)
    assert [await ask(engine, str(number)) for number in range(4)] == [list(CHUNKS)] * 4
    assert [len(double.asked) for double in doubles] == [0, 4, 0]


async def test_idle_servers_take_turns() -> None:
    doubles = [Double(name) for name in "abc"]
    engine = engine_of(*doubles)
    for number in range(9):
        await ask(engine, str(number))
    assert [len(double.asked) for double in doubles] == [3, 3, 3]


async def test_requests_in_flight_are_spread() -> None:
    doubles = [Double("a"), Double("b", load=4), Double("c")]
    for double in doubles:
        double.gate.clear()
    engine = engine_of(*doubles)
    tasks = [asyncio.create_task(ask(engine, str(number))) for number in range(8)]
    async with asyncio.timeout(10):
        while sum(len(double.asked) for double in doubles) < 8:
            await asyncio.sleep(0)
    assert [double.load for double in doubles] == [4, 4, 4]
    for double in doubles:
        double.gate.set()
    assert await asyncio.gather(*tasks) == [list(CHUNKS)] * 8


async def test_a_server_that_is_ill_is_avoided_however_idle() -> None:
    sick, busy = ill("a"), Double("b", load=30)
    engine = engine_of(sick, busy)
    for number in range(4):
        await ask(engine, str(number))
    assert (len(sick.asked), len(busy.asked)) == (0, 4)


@pytest.mark.parametrize("error", [EngineUnavailable("It died."), Overloaded("Its queue is full.")], ids=type)
async def test_what_fails_before_its_first_token_is_given_to_another(error: ServiceError) -> None:
    bad, good = Double("a", error=error), Double("b", load=5)
    assert await ask(engine_of(bad, good)) == list(CHUNKS)
    assert (bad.asked, good.asked) == (["a"], ["a"])


async def test_it_is_given_to_another_once() -> None:
    doubles = [Double(name, error=EngineUnavailable(f"{name} died.")) for name in "abc"]
    with pytest.raises(EngineUnavailable) as caught:
        await ask(engine_of(*doubles))
    asked = [double for double in doubles if double.asked]
    assert [len(double.asked) for double in asked] == [1, 1]
    assert caught.value in [double.error for double in asked]


async def test_what_has_begun_is_never_repeated() -> None:
    bad, good = Double("a", error=EngineUnavailable("It died."), begin=1), Double("b", load=1)
    engine, seen = engine_of(bad, good), []
    with pytest.raises(EngineUnavailable, match="It died"):
        async for chunk in engine.generate(GenerationRequest([1], 9, Deadline.after(60), "a")):
            seen.append(chunk)
    assert seen == [CHUNKS[0]]
    assert good.asked == []


async def test_a_deadline_is_no_reason_to_try_another() -> None:
    late, good = Double("a", error=DeadlineExceeded("Too late.")), Double("b", load=1)
    with pytest.raises(DeadlineExceeded):
        await ask(engine_of(late, good))
    assert good.asked == []


async def test_the_only_server_is_asked_once() -> None:
    only = Double("a", error=EngineUnavailable("It died."))
    with pytest.raises(EngineUnavailable):
        await ask(engine_of(only))
    assert len(only.asked) == 1


async def test_the_retry_budget_ends_and_grows_with_successes() -> None:
    bad, worse = (Double(name, error=EngineUnavailable("It died.")) for name in "ab")
    engine = engine_of(bad, worse)

    async def attempts() -> int:
        before = len(bad.asked) + len(worse.asked)
        with contextlib.suppress(EngineUnavailable):
            await ask(engine)
        return len(bad.asked) + len(worse.asked) - before

    assert [await attempts() for _ in range(round(RETRY_BURST))] == [2] * round(RETRY_BURST)
    assert sum([await attempts() for _ in range(50)]) <= 50 * (1 + RETRY_SHARE) + 1, "used up"
    bad.error = worse.error = None
    for _ in range(round(2 / RETRY_SHARE)):
        await attempts()
    bad.error = worse.error = EngineUnavailable("It died.")
    assert await attempts() == 2


@given(st.lists(st.booleans(), max_size=150))
def test_retries_never_exceed_their_share(failing: list[bool]) -> None:
    doubles = [Double(name) for name in "ab"]
    engine = engine_of(*doubles)

    async def run() -> None:
        for fails in failing:
            for double in doubles:
                double.error = EngineUnavailable("It died.") if fails else None
            with contextlib.suppress(EngineUnavailable):
                await ask(engine)

    asyncio.run(run())
    retries = sum(len(double.asked) for double in doubles) - len(failing)
    assert retries <= min(sum(failing), RETRY_BURST + RETRY_SHARE * len(failing))


async def test_all_down_is_told_of_each() -> None:
    engine = engine_of(ill("a"), ill("b"))
    with pytest.raises(EngineUnavailable, match=r"a is out of reach\. b is out of reach\."):
        await engine.ready()
    with pytest.raises(EngineUnavailable, match="is out of reach"):
        await ask(engine)


async def test_one_that_is_well_is_enough() -> None:
    await engine_of(ill("a"), Double("b")).ready()


async def test_who_leaves_frees_the_place() -> None:
    one = Double("a")
    chunks = engine_of(one).generate(GenerationRequest([1], 9, Deadline.after(60), "a"))
    await anext(chunks)
    assert one.load == 1
    await chunks.aclose()
    assert one.load == 0


async def test_who_leaves_after_a_retry_frees_the_place() -> None:
    bad, good = Double("a", error=EngineUnavailable("It died.")), Double("b", load=1)
    chunks = engine_of(bad, good).generate(GenerationRequest([1], 9, Deadline.after(60), "a"))
    await anext(chunks)
    assert (bad.load, good.load) == (0, 2)
    await chunks.aclose()
    assert (bad.load, good.load) == (0, 1)


async def test_no_server_at_all_is_told() -> None:
    engine = TritonEngine(IDENTITY, ["triton.nowhere.invalid:8001"], plain=False, stall_seconds=1)
    with pytest.raises(EngineUnavailable, match=r"No Triton server is found at triton\.nowhere\.invalid:8001"):
        await engine.ready()
    with pytest.raises(EngineUnavailable, match="No Triton server"):
        await ask(engine)


def test_healthy_servers_are_counted_and_none_counts_as_one() -> None:
    assert engine_of(Double("a"), ill("b"), Double("c")).status().healthy == 2
    assert engine_of(ill("a"), ill("b")).status().healthy == 1
    assert engine_of().status().healthy == 1


async def test_it_tells_who_is_well_and_counts_retries() -> None:
    bad, good = Double("a", error=EngineUnavailable("It died.")), Double("b", load=5)
    engine = engine_of(bad, good, ill("c"))
    assert engine.status() == Status(servers={"a": True, "b": True, "c": False}, retries=0)
    await ask(engine)
    assert engine.status().retries == 1
    good.error = EngineUnavailable("It died.", retry_after=1)
    with pytest.raises(EngineUnavailable):
        await ask(engine)
    assert engine.status().retries == 2
