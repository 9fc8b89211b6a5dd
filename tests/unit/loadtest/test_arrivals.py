"""Arrivals of requests."""

from itertools import islice, pairwise
from math import inf, sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.load.arrivals import SHAPES, Profile, constant, poisson, replayed
from querygist.errors import ConfigurationError

seeds = st.integers(0, 2**32)
rates = st.floats(0.1, 1e4)


@given(rates, seeds)
def test_moments_are_in_order_and_the_same_for_the_same_seed(rate: float, seed: int) -> None:
    moments = list(islice(poisson(constant(rate), seed), 50))
    assert all(0 < earlier < later for earlier, later in pairwise(moments))
    assert moments == list(islice(poisson(constant(rate), seed), 50))
    assert moments != list(islice(poisson(constant(rate), seed + 1), 50))


@given(rates, seeds)
def test_twice_the_rate_is_the_same_in_half_the_time(rate: float, seed: int) -> None:
    slow, fast = (list(islice(poisson(constant(of), seed), 20)) for of in (rate, 2 * rate))
    assert fast == pytest.approx([moment / 2 for moment in slow])


@settings(max_examples=5)
@given(seeds)
def test_gaps_are_exponential(seed: int) -> None:
    moments = [0.0, *islice(poisson(constant(4.0), seed), 4000)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.25, rel=5 / sqrt(len(gaps)))
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.04)  # 1/e; even gaps give a half
    assert sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) == pytest.approx(mean, rel=0.15)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@settings(max_examples=5)
@given(seeds)
def test_a_changing_rate_is_followed(shape: str, seed: int) -> None:
    profile = Profile(25, 125, 20, shape)
    moments = list(poisson(profile, seed))
    assert all(moment < 20 for moment in moments)
    for fifth in range(5):
        wanted = sum(profile.at(4 * (fifth + (step + 0.5) / 100)) for step in range(100)) * 4 / 100
        there = sum(4 * fifth <= moment < 4 * (fifth + 1) for moment in moments)
        assert there == pytest.approx(wanted, abs=5 * sqrt(wanted))


@given(st.sampled_from(sorted(SHAPES)), st.floats(0, 100), st.floats(0.1, 100), st.floats(0, 1))
def test_a_rate_stays_between_its_base_and_its_peak(shape: str, base: float, peak: float, share: float) -> None:
    if shape == "constant" and not base:
        return
    profile = Profile(base, peak, 60, shape)
    slack = 1e-9 * max(base, peak)
    assert min(base, peak) - slack <= profile.at(60 * share) <= profile.highest + slack


def test_each_shape_has_its_form() -> None:
    def rates_of(shape: str) -> list[float]:
        profile = Profile(1, 9, 100, shape)
        return [profile.at(moment) for moment in (0, 25, 50, 75, 100)]

    assert rates_of("constant") == [1, 1, 1, 1, 1]
    assert rates_of("ramp") == [1, 3, 5, 7, 9]
    assert rates_of("spike") == [1, 1, 9, 1, 1]
    assert rates_of("diurnal") == pytest.approx([1, 5, 9, 5, 1])


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"base": 0, "peak": 0, "seconds": 9}, "send nothing"),
        ({"base": -1, "peak": 5, "seconds": 9, "shape": "ramp"}, "from -1 to 5"),
        ({"base": 0, "peak": 5, "seconds": 9}, "send nothing"),
        ({"base": 1, "peak": 5, "seconds": inf, "shape": "ramp"}, "give a run time"),
        ({"base": 1, "peak": 5, "seconds": 9, "shape": "square"}, "'square'"),
    ],
)
def test_what_cannot_be_run_is_refused(profile: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Profile(**profile)


def test_a_trace_is_replayed_as_it_stands(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("0\n0.5\n0.5\n\n12.25\n")
    assert replayed(trace) == [0, 0.5, 0.5, 12.25]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\nsoon\n", "soon"),
        ("", "needs moments"),
        ("2\n1\n", "not in order"),
        ("-1\n", "0 seconds"),
        ("nan\n", "0 sec"),
    ],
)
def test_a_file_that_is_no_trace_is_named(tmp_path: Path, text: str, said: str) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text(text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        replayed(trace)
    assert str(trace) in caught.value.detail
    with pytest.raises(ConfigurationError, match="No such file"):
        replayed(tmp_path / "nowhere")
