"""pytest tests/unit/test_quotas.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.api.quotas import CHARACTERS, MINUTE, Quotas, cost_of
from querygist.errors import QuotaExceeded


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("querygist.api.quotas.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def wait_of(quotas: Quotas, cost: int = 1, tenant: str = "alice") -> float:
    """Seconds that the tenant is told to wait; 0 when it may go on."""
    try:
        await quotas.spend(tenant, 10, cost)
    except QuotaExceeded as error:
        return error.retry_after or -1.0
    return 0.0


@pytest.mark.parametrize(("characters", "cost"), [(1, 1), (CHARACTERS, 1), (CHARACTERS + 1, 2), (200_000, 25), (0, 1)])
def test_a_long_document_costs_as_many_short_ones(characters: int, cost: int) -> None:
    assert cost_of("x" * characters) == cost


async def test_a_burst_may_take_a_minutes_quota_and_no_more(clock: Clock) -> None:
    quotas = Quotas()
    assert [await wait_of(quotas) for _ in range(10)] == [0.0] * 10
    assert await wait_of(quotas) == pytest.approx(6)
    assert await wait_of(quotas, tenant="bob") == 0


async def test_the_wait_is_as_long_as_it_was_told(clock: Clock) -> None:
    quotas = Quotas()
    await wait_of(quotas, 10)
    wait = await wait_of(quotas, 4)
    assert wait == pytest.approx(24)
    clock.now += wait - 0.1
    assert await wait_of(quotas, 4) > 0
    clock.now += 0.11
    assert await wait_of(quotas, 4) == 0


async def test_the_wall_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    quotas = Quotas()
    await wait_of(quotas, 10)
    monkeypatch.setattr("time.time", lambda: 0.0)  # an hour and more back
    clock.now += MINUTE
    assert await wait_of(quotas, 10) == 0


async def test_what_no_minute_allows_is_refused_without_a_wait(clock: Clock) -> None:
    with pytest.raises(QuotaExceeded, match="counts as 11") as refused:
        await Quotas().spend("alice", 10, 11)
    assert refused.value.retry_after is None


async def test_all_gateways_together_are_asked_first(clock: Clock) -> None:
    answers: list[float | None] = [0.0, 7.0, None]

    async def together(tenant: str, seconds: float) -> float | None:
        assert (tenant, seconds) == ("alice", 6.0)
        return answers.pop(0)

    quotas = Quotas(together)
    assert [await wait_of(quotas) for _ in range(3)] == [0, 7, 0], "without an answer, this gateway counts alone"


@given(steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 10)), max_size=40))
async def test_no_minute_gives_more_than_twice_the_quota(steps: list[tuple[float, int]]) -> None:
    """A saved-up burst, and what is earned meanwhile: in any window of a minute at most the quota twice."""
    with pytest.MonkeyPatch.context() as patch:
        clock, quotas = Clock(patch), Quotas()
        spent: list[tuple[float, int]] = []
        for seconds, cost in steps:
            clock.now += seconds
            if await wait_of(quotas, cost) == 0:
                spent.append((clock.now, cost))
        for at, _ in spent:
            assert sum(cost for when, cost in spent if at <= when <= at + MINUTE) <= 20
