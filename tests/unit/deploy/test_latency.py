"""Arrivals, the summary of measured requests, and the verdict."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.gpu import latency
from deploy.gpu.context import AcceptanceContext
from deploy.gpu.criteria import SERVED, TIMED
from deploy.gpu.latency import Request, arrivals, open_loop, summary, target
from deploy.gpu.step_runner import Measured, StepFailed
from deploy.gpu.triton_client import Generation
from querygist.errors import EngineUnavailable
from tests.unit.deploy.conftest import generation


def request_of(e2el: float, *, error: str | None = None, **counts: int) -> Request:
    return Request(0.0, 0.0, e2el, None if error else generation(**counts), error)


@given(st.floats(0.5, 200), st.floats(1, 20), st.integers(0, 5))
def test_arrivals_are_in_order_and_the_same_for_a_seed(rate: float, seconds: float, seed: int) -> None:
    moments = arrivals(rate, seconds, seed)
    assert moments == sorted(moments)
    assert all(0 <= one < seconds for one in moments)
    assert moments == arrivals(rate, seconds, seed)


def test_arrivals_are_a_poisson_process() -> None:
    gaps = np.diff([0.0, *arrivals(150, 1000, 7)])
    assert len(gaps) == pytest.approx(150_000, rel=0.01)
    assert gaps.mean() == pytest.approx(1 / 150, rel=0.01)
    assert gaps.std() == pytest.approx(1 / 150, rel=0.01), "exponential: as wide as long"


class SlowFirst:
    """A client whose first answer waits for the last request: a closed loop would never send that one."""

    def __init__(self, last: int) -> None:
        self.last, self.seen = last, asyncio.Event()

    async def generate(self, ids: Sequence[int], number: int) -> Generation:
        if number == self.last:
            self.seen.set()
            raise EngineUnavailable("full")
        if number == 0:
            await self.seen.wait()
        return generation(ids)


async def test_requests_leave_without_waiting_for_answers() -> None:
    found = await open_loop(SlowFirst(3), [[1], [1, 2]], [0.0, 0.01, 0.02, 0.03])  # type: ignore[arg-type]
    assert [one.due for one in found] == [0.0, 0.01, 0.02, 0.03]
    assert [len(one.generation.ids) if one.generation else 0 for one in found] == [1, 2, 1, 0], "prompts in turn"
    assert found[3].error == "full"
    assert found[0].e2el >= 0.03, "from when it should have left"
    assert all(one.send_lag >= 0 for one in found)


def test_a_summary_is_of_answered_requests() -> None:
    requests = [request_of(0.01 * number) for number in range(1, 101)] + [request_of(9, error="no")] * 2
    found = summary(requests)
    assert (found["sent"], found["answered"], found["failed"]) == (102, 100, 2)
    assert found["errors"] == ["no"]
    assert found["e2el_mean_ms"] == pytest.approx(505)
    assert (found["e2el_p50_ms"], found["e2el_p95_ms"], found["e2el_p99_ms"]) == pytest.approx((505, 950.5, 990.1))
    assert found["server_mean_ms"] == pytest.approx(18)
    assert found["queue_mean_ms"] == pytest.approx(1)
    assert found["acceptance_rate"] == pytest.approx(5 / 39)
    assert found["tokens_mean"] == 10
    json.dumps(found, allow_nan=False)


def test_nothing_answered_has_no_latency() -> None:
    found = summary([request_of(1, error="no")])
    keys = ("e2el_mean_ms", "e2el_p50_ms", "e2el_p99_ms", "server_mean_ms", "acceptance_rate")
    assert [found[name] for name in keys] == [None] * 5
    json.dumps(found, allow_nan=False)
    assert summary([])["sent"] == 0


def test_an_engine_without_drafts_has_no_acceptance() -> None:
    assert summary([request_of(0.01, drafted=0, accepted=0)])["acceptance_rate"] is None


def measured(context: AcceptanceContext, rate: str = "150", **served: Any) -> AcceptanceContext:
    good = summary([request_of(0.04)] * 10)
    context.latency = {engine: {rate: good} for engine in TIMED} | {SERVED: {rate: good | served}}
    return context


def test_the_target_is_met(context: AcceptanceContext) -> None:
    assert target(measured(context, e2el_mean_ms=54.9))["e2el_mean_ms"] == 54.9


@pytest.mark.parametrize(
    ("served", "detail"),
    [
        ({"e2el_mean_ms": 55.0}, r"55\.0 ms on average"),
        ({"failed": 1, "sent": 11, "errors": ["queue full"]}, "1 of 11 requests failed: queue full"),
        ({"send_lag_p99_ms": 5.1}, r"the client itself was 5\.1 ms late"),
    ],
)
def test_the_target_is_missed(context: AcceptanceContext, served: Measured, detail: str) -> None:
    with pytest.raises(StepFailed, match=rf"lookahead at 150 requests a second: .*{detail}") as failed:
        target(measured(context, **served))
    assert failed.value.measured["target_ms"] == 55


def test_a_lower_rate_proves_nothing_of_the_target(context: AcceptanceContext) -> None:
    slower = replace(context, plan=replace(context.plan, rates=(1.0,)))
    with pytest.raises(StepFailed, match="150 a second were not tried"):
        target(measured(slower, "1"))


def test_an_engine_that_answers_nothing_fails_the_step(
    context: AcceptanceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_client(self: AcceptanceContext, engine: str, step: str, work: Any) -> Measured:
        silent = engine == "plain-kv16"
        return {"50": summary([request_of(0.01, error="queue full" if silent else None)])}

    monkeypatch.setattr(AcceptanceContext, "with_client", with_client)
    with pytest.raises(StepFailed, match="no request was answered by plain-kv16 at 50 a second: queue full"):
        latency.latency(context)
