"""The search for what a GPU sustains, and the report of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.capacity import report, study
from loadtest.capacity.search import BATCHING, Engine, Objective, Trial, gpus_needed
from loadtest.capacity.simulator import Batching
from querygist.errors import ConfigurationError
from querygist.sizing.gpus import GPUS, L20
from querygist.sizing.roofline import KERNEL_SECONDS, STUDENT, Work
from querygist.sizing.workload import PLAIN, Decoder, Workload

L4 = GPUS["L4"]
WIDE = Decoder("wide", 8, 8, (1, 1, 1, 1), "for the test")
WORKLOAD = Workload("lengths for the test", ((400, 8), (800, 4)), (WIDE,))
TRIAL = Trial(WORKLOAD, requests=200, seed=5)
OBJECTIVE = Objective(average=0.02)


@pytest.mark.parametrize("decoder", [PLAIN, WIDE], ids=["plain", "wide"])
def test_the_sustained_rate_holds_and_a_higher_one_does_not(decoder: Decoder) -> None:
    engine = Engine(L20, STUDENT, decoder)
    found = TRIAL.sustained(engine, OBJECTIVE)
    assert found is not None
    assert found == TRIAL.of(engine, found.rate, seconds=OBJECTIVE.trial_seconds)
    assert OBJECTIVE.met(found)
    assert not OBJECTIVE.met(TRIAL.of(engine, 1.05 * found.rate, seconds=OBJECTIVE.trial_seconds))


def test_requests_that_come_all_at_once_are_not_taken_for_a_rate() -> None:
    one = Trial(Workload("one", ((600, 1),)), requests=1, seed=0)  # one request never waits, at any rate
    found = one.sustained(Engine(L20, STUDENT, PLAIN), OBJECTIVE)
    assert found is not None
    passes_a_second = 1 / Engine(L20, STUDENT, PLAIN).cost([Work(600, 0, 1)])
    assert found.rate < BATCHING.max_batch * passes_a_second


def test_a_faster_gpu_or_a_looser_objective_sustains_more() -> None:
    found = [
        TRIAL.sustained(Engine(gpu, STUDENT, PLAIN), objective)
        for gpu, objective in ((L4, OBJECTIVE), (L20, OBJECTIVE), (L20, Objective(average=0.03)))
    ]
    rates = [load.rate for load in found if load is not None]
    assert len(rates) == 3
    assert rates == sorted(set(rates))


def test_a_percentile_binds_too() -> None:
    engine = Engine(L20, STUDENT, PLAIN)
    loose, tight = (TRIAL.sustained(engine, Objective(0.02, p99)) for p99 in (None, 0.025))
    assert loose is not None
    assert tight is not None
    assert tight.p99 <= 0.025 < loose.p99
    assert tight.rate < loose.rate


def test_an_objective_that_a_single_request_misses_is_never_met() -> None:
    assert TRIAL.sustained(Engine(L20, STUDENT, PLAIN), Objective(average=0.001)) is None


def test_a_load_is_consistent() -> None:
    load = TRIAL.of(Engine(L20, STUDENT, WIDE), 300.0)
    assert 0 <= load.queueing < load.ttft < load.average
    assert load.p50 <= load.p99
    assert load.in_flight == pytest.approx(load.rate * load.average)


def test_a_batch_that_memory_does_not_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"20000 requests of 1152 tokens.*Lower max_batch"):
        Engine(L4, STUDENT, PLAIN, Batching(20_000, 20_000))


@given(st.floats(1, 1e6), st.floats(0, 1), st.floats(1, 1e4))
def test_gpus_are_enough_and_not_one_too_many(queries: float, hits: float, rate: float) -> None:
    count = gpus_needed(queries, hits, rate)
    assert count * rate >= queries * (1 - hits) * (1 - 1e-12)
    assert (count - 1) * rate < queries * (1 - hits)


@pytest.fixture(scope="module")
def found() -> Iterator[study.Study]:
    """A whole study, of few and short requests, on two GPUs."""
    workload = Workload("short", ((600, 2),), (Decoder("twice", 4, 4, (0.0, 1.0), "for the test"),))
    question = study.Question(40_000, Objective(0.005), cache_hits=0.25)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "GPUS": {gpu.name: gpu for gpu in (L4, L20)},
            "SENSITIVITY": (0.0, KERNEL_SECONDS),
            "PAPER_LENGTHS": ((600, 2), (700, 2)),
            "PAPER_AVERAGE": 0.005,
        }.items():
            patch.setattr(study, name, value)
        yield study.run(question, Trial(workload, requests=40, seed=1), Console(quiet=True))


def test_the_study_has_every_combination(found: study.Study) -> None:
    assert len({(cell.gpu, cell.architecture, cell.decoder) for cell in found.table}) == 2 * 2 * 2 == len(found.table)
    assert {point.kernel_seconds for point in found.paper} == {cell.kernel_seconds for cell in found.sensitivity}
    for cell in found.table:
        if cell.load is not None:
            assert cell.gpus == gpus_needed(40_000, 0.25, cell.load.rate)
    for point in found.paper:
        assert point.load.rate == pytest.approx(50_000 / 334)
    for _, _, loads in found.curves:
        assert [load.rate for load in loads] == sorted(load.rate for load in loads)


def test_the_sensitivity_repeats_the_tables_own_assumption(found: study.Study) -> None:
    table = {(cell.gpu, cell.architecture, cell.decoder, cell.kernel_seconds): cell for cell in found.table}
    shared = [
        cell for cell in found.sensitivity if (cell.gpu, cell.architecture, cell.decoder, cell.kernel_seconds) in table
    ]
    assert len(shared) == 4
    for cell in shared:
        assert cell == table[cell.gpu, cell.architecture, cell.decoder, cell.kernel_seconds]


def test_the_report_shows_the_study(found: study.Study, tmp_path: Path) -> None:
    text = report.write(found, tmp_path).read_text()
    for cell in found.table:
        assert cell.load is None or f"**{cell.gpus:,}** ({cell.load.rate:,.0f}/s" in text
    for shown in ("No parameter is fitted", "no GPU was measured", "confidence medium", "S = 2.00", "334"):
        assert shown in re.sub(r"\s+", " ", text)
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "capacity.json").read_text())
    assert [cell["gpus"] for cell in told["table"]] == [cell.gpus for cell in found.table]
    assert {gpu["name"] for gpu in told["gpus"]} >= {cell.gpu for cell in found.table}


def test_where_nothing_suffices_the_report_says_so(found: study.Study, tmp_path: Path) -> None:
    hopeless = replace(
        found,
        table=tuple(replace(cell, load=None, gpus=None) for cell in found.table),
        paper=tuple(replace(point, sustained=None) for point in found.paper),
    )
    text = report.write(hopeless, tmp_path).read_text()
    assert text.count("none suffice") >= len(found.table) + len(found.paper)


def test_a_wrong_workload_ends_in_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["capacity", "--workload", str(tmp_path / "none.json"), "--out", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    assert "none.json" in result.exception.detail


def test_the_defaults_are_the_engines_limits() -> None:
    assert (BATCHING.max_batch, BATCHING.max_tokens) == (32, 4096)
    built = (Path(__file__).parents[3] / "model_repository/gpu/tensorrt_llm/config.pbtxt").read_text()
    assert f"max_batch_size: {BATCHING.max_batch}" in built
