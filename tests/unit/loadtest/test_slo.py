"""Statistics of a run, and verdicts on its objectives."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.load.results import Result
from loadtest.load.slo import Slo
from loadtest.load.statistics import GOOD, LAG_SECONDS, SLOW, Limits, summarize
from querygist.errors import ConfigurationError
from tests.conftest import REPOSITORY

EXAMPLE = """
[in_time]
e2el = 2.0
ttft = 1.0
[e2el]
p50 = 0.5
p99 = 3.0
[ttft]
p95 = 0.4
[at_most]
errors = 0.1
fallbacks = 0.2
[at_least]
goodput = 0.7
"""


def result(latency: float = 0.2, **changes: Any) -> Result:
    usual: dict[str, Any] = {"kind": "json", "arrival": 0.0, "send_lag": 0.0, "outcome": "generative"}
    return Result(e2el=latency, **usual | changes)


def stream(latency: float, ttft: float, **changes: Any) -> Result:
    return result(latency, kind="stream", ttft=ttft, **changes)


@pytest.fixture
def slo(tmp_path: Path) -> Slo:
    (tmp_path / "slo.toml").write_text(EXAMPLE)
    return Slo.load(tmp_path / "slo.toml")


def test_the_service_is_told_what_counts_as_in_time() -> None:
    assert Limits(2.5, 0.0004).headers == {"X-Deadline-Ms": "2500", "X-First-Text-Ms": "1"}
    assert Limits(e2el=10).headers == {"X-Deadline-Ms": "10000"}
    assert Limits().headers == {}


def test_a_run_is_counted() -> None:
    results = [
        result(1.0),
        result(3.0),  # by the model, too late
        stream(1.5, 0.5, itl=0.05),
        stream(1.5, 1.1),  # its first text came too late
        result(0.1, cached=True),
        result(0.3, outcome="extractive"),
        result(0.4, outcome="quote"),
        result(9.0, outcome="timeout", send_lag=2 * LAG_SECONDS),
        result(0.0, outcome="overloaded"),
    ]
    found = summarize(results, 4.0, Limits(e2el=2.0, ttft=1.0))
    assert found.outcomes == {GOOD: 4, SLOW: 2, "extractive": 1, "timeout": 1, "overloaded": 1}
    assert (found.asked, found.streams, found.lagged) == (9, 2, 1)
    assert (found.offered, found.generated, found.goodput) == (2.25, 1.5, 1.0)
    shares = found.shares
    assert (shares.errors, shares.fallbacks, shares.goodput, shares.cache_hits) == (
        pytest.approx(2 / 9), 1 / 9, 4 / 9, 1 / 9
    )  # fmt: skip
    assert found.e2el is not None
    assert found.ttft is not None
    assert found.itl is not None
    assert found.e2el.mean == pytest.approx((1 + 3 + 1.5 + 1.5 + 0.1 + 0.3 + 0.4) / 7), "of answers only"
    assert (found.ttft.mean, found.itl.mean) == pytest.approx((0.8, 0.05))


outcomes = st.sampled_from(["generative", "extractive", "timeout"])
any_results = st.lists(st.builds(result, st.floats(0, 20), outcome=outcomes, cached=st.booleans()), min_size=1)


@given(any_results, st.none() | st.floats(0.1, 10))
def test_every_summary_is_counted_once(results: list[Result], limit: float | None) -> None:
    found = summarize(results, 10.0, Limits(e2el=limit))
    assert sum(found.outcomes.values()) == found.asked == len(results)
    slow = found.outcomes.get(SLOW, 0) / found.asked
    assert found.shares.errors + found.shares.fallbacks + found.shares.goodput + slow == pytest.approx(1)
    assert found.goodput <= found.generated + 1e-9
    assert limit is not None or not slow
    if found.e2el:
        assert found.e2el.p50 <= found.e2el.p95 <= found.e2el.p99


def test_objectives_that_are_kept(slo: Slo) -> None:
    verdicts = list(slo.judge(summarize([result(), stream(0.5, 0.3)], 1.0, slo.in_time)))
    assert len(verdicts) == 6
    assert all(verdict.kept for verdict in verdicts)


@pytest.mark.parametrize(
    ("results", "missed", "value"),
    [
        ([result(0.6)] * 3, "e2el p50 <=", 0.6),
        ([result(0.1)] * 97 + [result(3.5)] * 3, "e2el p99 <=", 3.5),
        ([stream(0.5, 0.45)] * 5, "ttft p95 <=", 0.45),
        ([result()] * 8 + [result(outcome="timeout")] * 2, "errors <=", 0.2),
        ([result()] * 7 + [result(outcome="extractive")] * 3, "fallbacks <=", 0.3),
        ([result()] * 6 + [result(2.5)] + [result(outcome="extractive")] * 2 + [result(outcome="timeout")],
         "goodput >=", 0.6),
    ],
)  # fmt: skip
def test_one_that_is_missed_is_told_with_its_value(slo: Slo, results: list[Result], missed: str, value: float) -> None:
    verdicts = list(slo.judge(summarize(results, 1.0, slo.in_time)))
    (found,) = [verdict for verdict in verdicts if not verdict.kept]
    assert found.objective == missed
    assert found.value == pytest.approx(value)
    assert str(found) == f"MISSED: {missed} {found.bound:g}, measured {value:g}"


def test_no_answers_miss_latencies_and_no_streams_skip_ttft(slo: Slo) -> None:
    failed = list(slo.judge(summarize([result(outcome="timeout", kind="stream")], 1.0, slo.in_time)))
    without = [verdict for verdict in failed if verdict.value is None]
    assert [verdict.objective for verdict in without] == [
        "e2el p50 <=",
        "e2el p99 <=",
        "ttft p95 <=",
    ]
    assert not any(verdict.kept for verdict in without)
    assert "nothing to measure" in str(without[0])
    assert not [one for one in slo.judge(summarize([result()], 1.0, slo.in_time)) if "ttft" in one.objective]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "loadtest" / "objectives").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_examples_can_be_read_and_be_kept(path: Path) -> None:
    slo = Slo.load(path)
    assert slo.in_time.e2el is not None
    verdicts = list(slo.judge(summarize([stream(0.01, 0.005)], 1.0, slo.in_time)))
    assert len(verdicts) >= 7
    assert all(verdict.kept for verdict in verdicts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXAMPLE.replace("p50", "p42"), "e2el.p42"),
        (EXAMPLE.replace("goodput", "badput"), "at_least.badput"),
        (EXAMPLE.replace("errors = 0.1", "errors = 10"), "at_most.errors"),
        (EXAMPLE.replace("[in_time]\ne2el", "[in_time]\nlatency"), "in_time.latency"),
        ("[at_most]\nerrors = 0.1\n", "in_time"),
        (EXAMPLE + "[at_last]\n", "at_last"),
        ("p50 = ", "is not TOML"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "slo.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Slo.load(path)
    assert said in caught.value.detail
    assert str(path) in caught.value.detail
