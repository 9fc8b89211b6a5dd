"""The capacity curve and its report."""

from pathlib import Path

import pytest

from loadtest.load.results import Result
from loadtest.load.statistics import Limits, Summary, summarize
from loadtest.load.traffic import Kind
from loadtest.sweeps.curve import Capacity, Curve, write
from querygist import json_files

SECONDS = 100.0


def point(kind: Kind, offered: int, good: int, slow: int = 0) -> Summary:
    """`offered` a hundred seconds, of which the model answers `good` in time and `slow` too late."""
    outcomes = [(1.0, "generative")] * good + [(9.0, "generative")] * slow
    first = 0.5 if kind == "stream" else None
    outcomes += [(0.1, "extractive")] * (offered - good - slow)
    results = [
        Result(kind=kind, arrival=0, send_lag=0, e2el=latency, outcome=outcome, ttft=first)
        for latency, outcome in outcomes
    ]
    return summarize(results, SECONDS, Limits(e2el=2.0))


def curve(kind: Kind = "json") -> Curve:
    points = [(50, 50, 0), (100, 98, 0), (150, 120, 10), (200, 135, 15), (300, 126, 4)]
    return Curve(kind, tuple(point(kind, *one) for one in points))


def test_knee_saturation_peak_and_what_is_kept() -> None:
    found = curve()
    assert found.knee is not None
    assert found.knee.offered == 1.0
    assert found.saturation == 1.5
    assert found.peak.goodput == pytest.approx(1.35)
    assert found.kept == pytest.approx(126 / 135)


def test_a_server_that_never_carries_its_load_has_no_knee() -> None:
    found = Curve("json", (point("json", 50, 10), point("json", 100, 100)))
    assert found.knee is None
    nothing = Curve("json", (point("json", 50, 0),))
    assert (nothing.saturation, nothing.kept) == (0, 0)


@pytest.mark.parametrize("curves", [(curve("json"), curve("stream")), (Curve("json", (point("json", 50, 0),)),)])
def test_the_report_is_written(tmp_path: Path, curves: tuple[Curve, ...]) -> None:
    found = Capacity(
        engine="scripted", processor="a processor", seconds=100, limits=Limits(e2el=2.0), probed=1.4,
        curves=curves,
    )  # fmt: skip
    page = write(found, tmp_path / "scripted")
    assert json_files.load(Capacity, tmp_path / "scripted" / "curve.json", "curve") == found
    assert (tmp_path / "scripted" / "curve.png").read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    if len(curves) == 2:
        assert "Knee: 1.00 requests/s. Saturation: 1.50 answers/s. Peak goodput: 1.35/s, at 2.00 offered." in text
        assert "At 2.0 times saturation (3.00 offered) goodput is 1.26/s: **93% of its peak**." in text
        assert "| 3.00 | 300 | 1.26 | 42.0% | 56.7% | 0.0% | 0.10 | 1.00 |" in text
        assert text.count("## ") == 2
    else:
        assert "below the first point" in text
