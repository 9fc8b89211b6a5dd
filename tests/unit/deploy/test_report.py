"""The report of an acceptance, its verdict and the exit code."""

import json
from pathlib import Path

import pytest

from deploy.gpu import accept
from deploy.gpu.context import Plan
from deploy.gpu.criteria import TIMED
from deploy.gpu.latency import summary
from deploy.gpu.report import Report
from deploy.gpu.step_runner import StepResult
from querygist.errors import ConfigurationError
from querygist.evaluation.rouge import Interval
from tests.conftest import WEIGHTS
from tests.unit.deploy.test_latency import request_of

STEPS = ("machine", "build", "equality", "rouge", "latency", "target")


def results(failed: str | None = None) -> list[StepResult]:
    rouge = {"fp8": 30.0, "fp16": 30.5, "loss": Interval(0.5, -0.1, 1.1, 40)}
    rates = {rate: summary([request_of(0.04)] * 3) for rate in ("50", "150")}
    measured = {
        "machine": {"gpu": "NVIDIA L20"},
        "latency": dict.fromkeys(TIMED, rates),
        "equality": {"rows": 40, "compared": {"switched off": {"differing": 0.025}}},
        "rouge": {"rows": 40, "rouge2": rouge, "rouge_l": rouge},
    }
    return [
        StepResult(name, "a purpose", "failed", 1.5, "why | not\nmore", measured.get(name, {}))
        if name == failed
        else StepResult(name, "a purpose", "passed", 1.5, measured=measured.get(name, {}))
        for name in STEPS
    ]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(hf=tmp_path, out=tmp_path, rows=Path("rows.jsonl"), weights=WEIGHTS)


def test_all_steps_passed_is_green(plan: Plan) -> None:
    text = Report(results(), plan).write().read_text()
    written = json.loads((plan.out / "report.json").read_text(), parse_constant=pytest.fail)
    assert written["verdict"] == "green"
    assert [one["name"] for one in written["steps"]] == list(STEPS)
    for part in (
        "**Green.** 6 steps passed; under 55 ms at 150 requests a second.",
        "gpu: NVIDIA L20",
        "| engine | requests/s | sent | failed | E2EL mean, ms |",
        "| plain-kv16 | 150 | 3 | 0 | 40 |",
        "| ROUGE-2 | 30.00 | 30.50 | 0.50 [-0.10, 1.10] |",
        "switched off: 2.5%",
    ):
        assert part in text


@pytest.mark.parametrize("failed", STEPS)
def test_one_failed_step_is_red_and_named(plan: Plan, failed: str) -> None:
    text = Report(results(failed), plan).write().read_text()
    assert json.loads((plan.out / "report.json").read_text())["verdict"] == "red"
    assert f"**Red.** {failed} failed: why | not." in text
    assert f"| {failed} | failed | 1.5 | why \\| not more |" in text, "a row of the table stays one"


def test_a_step_that_did_not_run_is_red(plan: Plan) -> None:
    skipped = Report([*results(), StepResult("target", "", "not run", detail="it needs latency")], plan)
    assert skipped.verdict == "red"
    assert "Not run: target." in skipped.sentence
    assert Report([], plan).verdict == "red", "nothing done is nothing shown"


@pytest.mark.parametrize(("failed", "code"), [(None, 0), ("equality", 1)])
def test_the_exit_code_is_the_verdict(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: str | None, code: int
) -> None:
    monkeypatch.setattr(accept, "accept", lambda plan, console: Report(results(failed), plan))
    with pytest.raises(SystemExit) as ended:
        accept.main(hf=tmp_path, out=tmp_path)
    assert ended.value.code == code


def test_bad_rows_are_named(plan: Plan, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"query": "q"}\n')
    with pytest.raises(ConfigurationError, match=r"rows\.jsonl:1 is not a row"):
        accept.AcceptanceContext.load(Plan(hf=tmp_path, out=tmp_path / "out", rows=rows, weights=WEIGHTS))
    assert not (tmp_path / "out").exists()
