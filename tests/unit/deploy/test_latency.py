"""Arrivals, what is made of measured requests, and the verdict."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.gpu import latency
from deploy.gpu.latency import Sent, arrivals, open_loop, summary, target
from deploy.gpu.plan import SERVED, TARGET_RATE, TIMED, Plan
from deploy.gpu.steps import Found, StepFailed
from deploy.gpu.triton_client import Answer
from querygist.errors import EngineUnavailable


def answer(seconds: float = 0.02, *, tokens: int = 10, drafted: int = 39, accepted: int = 5) -> Answer:
    return Answer(tuple(range(tokens)), seconds, 0.001, seconds - 0.002, drafted, accepted, accepted / max(1, drafted))


def sent(latency: float, *, late: float = 0.0, error: str | None = None, **told: Any) -> Sent:
    return Sent(0.0, late, latency, None if error else answer(latency, **told), error)


@given(st.floats(0.5, 200), st.floats(1, 20), st.integers(0, 5))
def test_arrivals_are_in_order_inside_of_the_time_and_the_same_for_a_seed(
    rate: float, seconds: float, seed: int
) -> None:
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
    """An asker whose first answer waits for the last request: a closed loop would never send that one."""

    def __init__(self, last: int) -> None:
        self.last, self.seen = last, asyncio.Event()

    async def ask(self, ids: Sequence[int], number: int) -> Answer:
        if number == self.last:
            self.seen.set()
            raise EngineUnavailable("full")
        if number == 0:
            await self.seen.wait()
        return answer(tokens=len(ids))


async def test_requests_leave_whether_or_not_others_are_answered() -> None:
    found = await open_loop(SlowFirst(3), [[1], [1, 2]], [0.0, 0.01, 0.02, 0.03])  # type: ignore[arg-type]
    assert [one.due for one in found] == [0.0, 0.01, 0.02, 0.03]
    assert [len(one.answer.ids) if one.answer else 0 for one in found] == [1, 2, 1, 0], "prompts in turn"
    assert found[3].error == "full"
    assert found[0].latency >= 0.03, "from when it should have left"
    assert all(one.late >= 0 for one in found)


def test_a_summary_is_of_what_was_answered() -> None:
    found = summary([sent(0.01 * number) for number in range(1, 101)] + [sent(9, error="no"), sent(9, error="no")], 10)
    assert (found["sent"], found["answered"], found["failed"]) == (102, 100, 2)
    assert found["errors"] == ["no"]
    assert found["answered_per_second"] == 10
    assert found["mean_ms"] == pytest.approx(505)
    assert (found["p50_ms"], found["p95_ms"], found["p99_ms"]) == pytest.approx((505, 950.5, 990.1))
    assert found["server_mean_ms"] == pytest.approx(503)
    assert found["queue_mean_ms"] == pytest.approx(1)
    assert found["acceptance_rate"] == pytest.approx(5 / 39)
    assert found["tokens_mean"] == 10
    json.dumps(found, allow_nan=False)


def test_nothing_answered_has_no_latency() -> None:
    found = summary([sent(1, error="no")], 1)
    assert [found[name] for name in ("mean_ms", "p50_ms", "p99_ms", "server_mean_ms", "acceptance_rate")] == [None] * 5
    json.dumps(found, allow_nan=False)
    assert summary([], 1)["sent"] == 0


def test_an_engine_that_drafts_nothing_has_no_acceptance() -> None:
    assert summary([sent(0.01, drafted=0, accepted=0)], 1)["acceptance_rate"] is None


def place(tmp_path: Path, **plan: Any) -> Any:
    return SimpleNamespace(plan=Plan(hf=tmp_path, out=tmp_path, rows=tmp_path, weights=tmp_path, **plan))


def measured(**served: Any) -> Found:
    good = summary([sent(0.04)] * 10, 1)
    found = {engine: {f"{rate:g}": good for rate in (50.0, 100.0, TARGET_RATE, 200.0)} for engine in TIMED}
    found[SERVED] = found[SERVED] | {f"{TARGET_RATE:g}": good | served}
    return found


def test_the_target_is_met(tmp_path: Path) -> None:
    found = target(place(tmp_path), measured(mean_ms=54.9))
    assert found["mean_ms"] == 54.9
    assert len(found["met_by"]) == 16


@pytest.mark.parametrize(
    ("served", "told"),
    [
        ({"mean_ms": 55.0}, r"55\.0 ms on average"),
        ({"mean_ms": None, "answered": 0}, "nothing answered"),
        ({"failed": 1, "sent": 11, "errors": ["queue full"]}, "1 of 11 requests failed: queue full"),
        ({"client_late_p99_ms": 5.1}, r"the client itself was 5\.1 ms late"),
    ],
)
def test_the_target_is_missed(tmp_path: Path, served: Found, told: str) -> None:
    with pytest.raises(StepFailed, match=rf"lookahead at 150 requests a second: .*{told}") as caught:
        target(place(tmp_path), measured(**served))
    assert caught.value.found["target_ms"] == 55


def test_another_engine_that_meets_it_does_not_make_it_green(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        target(place(tmp_path), measured(mean_ms=80.0))
    met = caught.value.found["met_by"]
    assert "plain at 150 a second (40.0 ms)" in met
    assert not any(one.startswith("lookahead at 150") for one in met)


def test_a_lower_rate_proves_nothing_of_the_target(tmp_path: Path) -> None:
    found = {SERVED: {"1": summary([sent(0.01)], 1)}}
    with pytest.raises(StepFailed, match="150 a second were not tried"):
        target(place(tmp_path, rates=(1.0,)), found)


def test_an_engine_that_answers_nothing_at_some_rate_fails_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(engine: str, step: str, work: Any) -> Found:
        silent = engine == "plain-kv16"
        return {"50": summary([sent(0.01, error="queue full" if silent else None)], 1)}

    here = place(tmp_path)
    here.ask = ask
    with pytest.raises(StepFailed, match="no request was answered by plain-kv16 at 50 a second: queue full"):
        latency.latency(here)
