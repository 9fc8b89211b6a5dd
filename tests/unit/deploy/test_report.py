"""The report of an acceptance, its verdict and the exit code."""

import json
from pathlib import Path

import pytest

from deploy.gpu import accept
from deploy.gpu.latency import summary
from deploy.gpu.plan import TIMED, Plan
from deploy.gpu.report import Report
from deploy.gpu.steps import Result
from querygist.errors import ConfigurationError
from tests.unit.deploy.test_latency import sent

STEPS = ("machine", "build", "latency", "target")


def results(failed: str | None = None) -> list[Result]:
    rates = {rate: summary([sent(0.04)] * 3, 1) for rate in ("50", "150")}
    found = {"machine": {"gpu": "NVIDIA L20"}, "latency": dict.fromkeys(TIMED, rates)}
    found["equality"] = {"rows": 40, "compared": {"switched off": {"differing": 0.025}}}
    lost = {"fp8": 30.0, "fp16": 30.5, "lost": 0.5, "lost_95": [-0.1, 1.1]}
    found["rouge"] = {"rows": 40, "rouge2": lost, "rouge_l": lost}
    return [
        Result(
            name,
            "a purpose",
            "failed" if name == failed else "passed",
            1.5,
            "why | not\nmore" * (name == failed),
            found.get(name, {}),
        )
        for name in (*STEPS[:2], "equality", "rouge", *STEPS[2:])
    ]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(hf=tmp_path, out=tmp_path, rows=Path("rows.jsonl"), weights=tmp_path)


def test_all_passed_is_green(plan: Plan, tmp_path: Path) -> None:
    Report(results(), plan).write(tmp_path)
    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert told["verdict"] == "green"
    assert [one["name"] for one in told["steps"]] == ["machine", "build", "equality", "rouge", "latency", "target"]
    text = (tmp_path / "report.md").read_text()
    assert "**Green.** 6 steps passed; under 55 ms at 150 requests a second." in text
    for part in ("gpu: NVIDIA L20", "| plain-kv16 | 150 | 3 | 0 | 40 |", "| rouge2 | 30.00 | 30.50 | 0.50 | -0.10 to 1.10 |", "switched off: 2.5%", "Poisson"):  # fmt: skip  # noqa: E501
        assert part in text
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("failed", ["machine", "build", "equality", "rouge", "latency", "target"])
def test_one_failure_is_red_and_named(plan: Plan, tmp_path: Path, failed: str) -> None:
    written = Report(results(failed), plan)
    written.write(tmp_path)
    assert not written.green
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "red"
    text = (tmp_path / "report.md").read_text()
    assert f"**Red.** {failed} failed: why | not." in text
    assert f"| {failed} | failed | 1.5 | why \\| not more |" in text, "a row of the table stays one"


def test_what_was_not_run_is_red_too(plan: Plan) -> None:
    skipped = Report([*results(), Result("target", "", "not run", detail="it needs latency")], plan)
    assert not skipped.green
    assert "Not run: target." in skipped.sentence
    assert not Report([], plan).green, "nothing done is nothing shown"


@pytest.mark.parametrize(("failed", "code"), [(None, 0), ("equality", 1)])
def test_the_exit_code_is_the_verdict(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: str | None, code: int
) -> None:
    monkeypatch.setattr(accept, "accept", lambda plan, console: Report(results(failed), plan))
    with pytest.raises(SystemExit) as ended:
        accept.main(hf=tmp_path, out=tmp_path)
    assert ended.value.code == code


def test_what_cannot_begin_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        accept.main(hf=tmp_path / "nowhere", out=tmp_path / "out")
    assert ended.value.code == 2
    assert "There is no folder" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"query": "q"}\n')
    with pytest.raises(ConfigurationError, match=r"rows\.jsonl:1 is not a row"):
        accept.accept(
            Plan(hf=tmp_path, out=tmp_path / "out", rows=rows, weights=accept.settings.load().weights_dir), None
        )  # type: ignore[arg-type]
