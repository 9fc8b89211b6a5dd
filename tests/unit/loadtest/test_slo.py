"""What a run amounts to, and whether it kept its objectives."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.load.results import Sample
from loadtest.load.slo import Slo
from loadtest.load.statistics import GOOD, LATE_SECONDS, SLOW, Limits, summarize
from querygist.errors import ConfigurationError
from tests.conftest import REPOSITORY

EXAMPLE = """
[in_time]
end_to_end = 2.0
first_token = 1.0
[end_to_end]
p50 = 0.5
p99 = 3.0
[first_token]
p95 = 0.4
[at_most]
errors = 0.1
fallbacks = 0.2
[at_least]
goodput = 0.7
"""


def sample(latency: float = 0.2, **changes: Any) -> Sample:
    usual: dict[str, Any] = {"kind": "json", "arrival": 0.0, "late": 0.0, "outcome": "generative"}
    return Sample(latency=latency, **usual | changes)


def stream(latency: float, first_token: float, **changes: Any) -> Sample:
    return sample(latency, kind="stream", first_token=first_token, **changes)


@pytest.fixture
def slo(tmp_path: Path) -> Slo:
    (tmp_path / "slo.toml").write_text(EXAMPLE)
    return Slo.load(tmp_path / "slo.toml")


def test_the_service_is_told_what_counts_as_in_time() -> None:
    assert Limits(2.5, 0.0004).headers == {"X-Deadline-Ms": "2500", "X-First-Text-Ms": "1"}
    assert Limits(end_to_end=10).headers == {"X-Deadline-Ms": "10000"}
    assert Limits().headers == {}


def test_a_run_is_counted() -> None:
    samples = [
        sample(1.0),
        sample(3.0),  # by the model, too late
        stream(1.5, 0.5, inter_token=0.05),
        stream(1.5, 1.1),  # its first text came too late
        sample(0.1, cached=True),
        sample(0.3, outcome="extractive"),
        sample(9.0, outcome="timeout", late=2 * LATE_SECONDS),
        sample(0.0, outcome="overloaded"),
    ]
    found = summarize(samples, 4.0, Limits(end_to_end=2.0, first_token=1.0))
    assert found.outcomes == {GOOD: 3, SLOW: 2, "extractive": 1, "timeout": 1, "overloaded": 1}
    assert (found.asked, found.streams, found.late_starts) == (8, 2, 1)
    assert (found.offered, found.generated, found.goodput) == (2.0, 1.25, 0.75)
    shares = found.shares
    assert (shares.errors, shares.fallbacks, shares.goodput, shares.cache_hits) == (0.25, 0.125, 0.375, 0.125)
    assert found.end_to_end is not None
    assert found.first_token is not None
    assert found.inter_token is not None
    assert found.end_to_end.mean == pytest.approx((1 + 3 + 1.5 + 1.5 + 0.1 + 0.3) / 6), "of answers only"
    assert (found.first_token.mean, found.inter_token.mean) == pytest.approx((0.8, 0.05))


outcomes = st.sampled_from(["generative", "extractive", "timeout"])
any_samples = st.lists(st.builds(sample, st.floats(0, 20), outcome=outcomes, cached=st.booleans()), min_size=1)


@given(any_samples, st.none() | st.floats(0.1, 10))
def test_every_summary_is_counted_once(samples: list[Sample], limit: float | None) -> None:
    found = summarize(samples, 10.0, Limits(end_to_end=limit))
    assert sum(found.outcomes.values()) == found.asked == len(samples)
    slow = found.outcomes.get(SLOW, 0) / found.asked
    assert found.shares.errors + found.shares.fallbacks + found.shares.goodput + slow == pytest.approx(1)
    assert found.goodput <= found.generated + 1e-9
    assert limit is not None or not slow
    if found.end_to_end:
        assert found.end_to_end.p50 <= found.end_to_end.p95 <= found.end_to_end.p99


def test_objectives_that_are_kept(slo: Slo) -> None:
    verdicts = slo.judge(summarize([sample(), stream(0.5, 0.3)], 1.0, slo.in_time))
    assert len(verdicts) == 6
    assert all(verdict.kept for verdict in verdicts)


@pytest.mark.parametrize(
    ("samples", "missed", "value"),
    [
        ([sample(0.6)] * 3, "end_to_end p50 <=", 0.6),
        ([sample(0.1)] * 97 + [sample(3.5)] * 3, "end_to_end p99 <=", 3.5),
        ([stream(0.5, 0.45)] * 5, "first_token p95 <=", 0.45),
        ([sample()] * 8 + [sample(outcome="timeout")] * 2, "errors <=", 0.2),
        ([sample()] * 7 + [sample(outcome="extractive")] * 3, "fallbacks <=", 0.3),
        ([sample()] * 6 + [sample(2.5)] + [sample(outcome="extractive")] * 2 + [sample(outcome="timeout")],
         "goodput >=", 0.6),
    ],
)  # fmt: skip
def test_one_that_is_missed_is_told_with_its_value(slo: Slo, samples: list[Sample], missed: str, value: float) -> None:
    verdicts = slo.judge(summarize(samples, 1.0, slo.in_time))
    (found,) = [verdict for verdict in verdicts if not verdict.kept]
    assert found.objective == missed
    assert found.value == pytest.approx(value)
    assert str(found) == f"MISSED: {missed} {found.bound:g}, measured {value:g}"


def test_latencies_of_nothing_are_missed_and_first_tokens_only_where_streams_were_asked_for(slo: Slo) -> None:
    failed = slo.judge(summarize([sample(outcome="timeout", kind="stream")], 1.0, slo.in_time))
    without = [verdict for verdict in failed if verdict.value is None]
    assert [verdict.objective for verdict in without] == [
        "end_to_end p50 <=",
        "end_to_end p99 <=",
        "first_token p95 <=",
    ]
    assert not any(verdict.kept for verdict in without)
    assert "nothing to measure" in str(without[0])
    assert not [one for one in slo.judge(summarize([sample()], 1.0, slo.in_time)) if "first" in one.objective]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "loadtest" / "objectives").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_examples_can_be_read_and_be_kept(path: Path) -> None:
    slo = Slo.load(path)
    assert slo.in_time.end_to_end is not None
    verdicts = slo.judge(summarize([stream(0.01, 0.005)], 1.0, slo.in_time))
    assert len(verdicts) >= 7
    assert all(verdict.kept for verdict in verdicts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EXAMPLE.replace("p50", "p42"), "end_to_end.p42"),
        (EXAMPLE.replace("goodput", "badput"), "at_least.badput"),
        (EXAMPLE.replace("errors = 0.1", "errors = 10"), "at_most.errors"),
        (EXAMPLE.replace("[in_time]\nend_to_end", "[in_time]\nlatency"), "in_time.latency"),
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
