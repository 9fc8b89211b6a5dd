"""The report of a load test."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.load.options import Options
from loadtest.load.report import JSON, MARKDOWN, PNG, Report, say, write
from loadtest.load.results import Result
from loadtest.load.slo import Slo
from loadtest.load.statistics import Limits
from querygist.errors import ConfigurationError

KEPT = Slo(in_time=Limits(e2el=2.0), e2el={"p50": 1.0}, at_most={"errors": 0.5})
MISSED = Slo(in_time=Limits(e2el=2.0), e2el={"p50": 0.001})


def options(**changes: Any) -> Options:
    chosen: dict[str, Any] = {
        "host": "http://<gateway>", "run_time": 20.0, "rate": 3.0, "shape": "constant", "peak": 0.0, "trace": "",
        "mix": "json=1", "data": "rows.jsonl", "population": 9, "zipf": 1.0, "distinct": False, "seed": 1,
        "slo": "slo.toml", "warm_up": 0.0, "report": "",
    }  # fmt: skip
    return Options(**chosen | changes)


def results(count: int) -> list[Result]:
    return [
        Result(
            kind="stream" if number % 2 else "json", arrival=20 * number / count, send_lag=0.001,
            e2el=0.1 + number / 1000, cached=number % 5 == 0,
            outcome="<b>odd" if number % 10 == 9 else "generative",
            ttft=0.05 if number % 2 else None, itl=0.01 if number % 2 else None,
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(("slo", "kept"), [(KEPT, True), (MISSED, False), (None, True)], ids=["kept", "missed", "none"])
def test_the_files_say_what_happened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slo: Slo | None, kept: bool
) -> None:
    there = tmp_path / "some" / "report"
    report = Report.of(options(report=str(there)), slo, results(100), 20.0)
    assert report.kept is kept
    write(report, results(100))
    say(report)
    assert Report.load(there / JSON) == report
    assert (there / PNG).read_bytes().startswith(b"\x89PNG")
    page, said = (there / MARKDOWN).read_text(), capsys.readouterr().out
    assert "&lt;b&gt;odd" in page
    assert "<b>odd" not in page
    assert f"]({PNG})" in page
    assert "100 summaries asked for in 20 s, 5.00/s" in said
    assert "100 summaries asked for" in page
    assert ("MISSED: e2el p50 <= 0.001, measured 0.1" in said) is not kept
    assert ("| MISSED |" in page) is not kept


@given(st.integers(1, 400), st.floats(0, 15))
def test_parts_and_kinds_add_up(count: int, warm_up: float) -> None:
    made = [result for result in results(count) if result.arrival >= warm_up]
    if not made:
        return
    report = Report.of(options(warm_up=warm_up), KEPT, results(count), 20.0)
    parts = [part.summary for part in report.parts if part.summary]
    for divided in (parts, report.kinds.values()):
        assert sum(one.asked for one in divided) == report.summary.asked == len(made)
        assert sum(one.lagged for one in divided) == report.summary.lagged
        for outcome, there in report.summary.outcomes.items():
            assert sum(one.outcomes.get(outcome, 0) for one in divided) == there
    assert report.parts[0].start == warm_up
    assert report.summary.seconds == pytest.approx(20 - warm_up)


def test_a_sender_that_lagged_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    late = [Result(kind="json", arrival=1.0, send_lag=0.5, e2el=0.6, outcome="generative")] * 3
    say(Report.of(options(), None, late, 20.0))
    said = capsys.readouterr().out
    assert "Send lag above 50 ms: 3 summaries; p99 0.500 s" in said
    assert "The sending side itself lagged" in said


@pytest.mark.parametrize(("given_results", "warm_up"), [([], 0.0), (results(3), 19.0)])
def test_nothing_is_no_report(given_results: list[Result], warm_up: float) -> None:
    with pytest.raises(ConfigurationError, match="No request was sent"):
        Report.of(options(warm_up=warm_up), None, given_results, 20.0)


def test_the_commands_help_names_every_option() -> None:
    told = CliRunner().invoke(app, ["load", "--help"], env={"COLUMNS": "200"}).output
    for field in ("rate", "shape", "peak", "trace", "mix", "population", "distinct", "slo", "warm-up", "api-key"):
        assert f"--{field}: " in told
    assert "ramp, spike, diurnal" in told
