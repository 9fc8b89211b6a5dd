"""The acceptance of a GPU without one: the command itself, and the steps that ask a model on a real Triton.

    pytest tests/process/test_accept.py

The CPU model has the tensors of the TensorRT-LLM engine: real tokens, real drafts, and a real queue.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from deploy.gpu import accept, latency, output_checks, step_runner
from deploy.gpu.context import AcceptanceContext, Plan
from tests.conftest import REPOSITORY, WEIGHTS
from tests.triton_servers import TritonServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def plan(tmp_path: Path, rows: list[dict[str, str]]) -> Plan:
    (tmp_path / "hf").mkdir()
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    return Plan(
        hf=tmp_path / "hf", out=tmp_path / "out", rows=tmp_path / "rows.jsonl", weights=WEIGHTS,
        batches=(1, 2), rates=(1.0,), seconds=3.0, warm_up_seconds=0.0,
    )  # fmt: skip


def run_script(plan: Plan, commands: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """accept.sh in this environment, with a docker that has no GPU."""
    commands.mkdir()
    (commands / "docker").write_text("#!/bin/sh\necho could not select device driver >&2\nexit 125\n")
    (commands / "docker").chmod(0o755)
    return subprocess.run(
        [REPOSITORY / "deploy/gpu/accept.sh", "--hf", plan.hf, "--out", plan.out, "--rows", plan.rows, *words],
        env=os.environ
        | {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "ACCEPT_VENV": str(Path(sys.executable).parent.parent),
        },
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_a_machine_without_a_gpu_is_red(plan: Plan, tmp_path: Path) -> None:
    done = run_script(plan, tmp_path / "commands")
    assert done.returncode == 1, done.stderr
    assert "red: machine failed: nvidia-smi failed with exit code 125" in done.stdout
    report = json.loads((plan.out / "report.json").read_text())
    assert report["verdict"] == "red"
    assert [one["status"] for one in report["steps"]] == ["failed"] + ["not run"] * 9


def test_a_missing_folder_is_an_error_of_its_own(plan: Plan, tmp_path: Path) -> None:
    done = run_script(plan, tmp_path / "commands", "--checkpoint", "elsewhere")
    assert done.returncode == 2, done.stderr
    assert "There is no folder elsewhere" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not plan.out.exists()


def test_the_steps_that_ask_a_model_run_on_a_real_triton(
    plan: Plan, triton_model_server: TritonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU model stands behind every engine's name."""

    @contextmanager
    def served(self: AcceptanceContext, engine: str, step: str) -> Iterator[str]:
        yield triton_model_server.address

    monkeypatch.setattr(AcceptanceContext, "served", served)
    # One of three rows: int8 kernels round by the shape of a pass, as FP8's do.
    monkeypatch.setattr(output_checks, "MAX_DIFFERING", 0.34)
    monkeypatch.setattr(latency, "TIMED", ("lookahead", "plain"))
    asking = [replace(step, needs=()) for step in accept.STEPS[4:]]
    results = step_runner.run(asking, AcceptanceContext.load(plan), Console(quiet=True))
    by_name = {one.name: one for one in results}
    target = by_name.pop("target")
    assert {one.status for one in by_name.values()} == {"passed"}, results
    assert min(by_name["gateway"].measured["completion_tokens"].values()) > 0
    equality = by_name["equality"].measured
    assert equality["drafted"] >= equality["accepted"] > 0
    assert by_name["rouge"].measured["rouge2"]["loss"].mean == 0, "one model stands behind both names"
    for rates in by_name["latency"].measured.values():
        assert rates["1"]["answered"] == rates["1"]["sent"] > 0
        assert 0 < rates["1"]["server_mean_ms"] <= rates["1"]["e2el_mean_ms"]
        assert 0 < rates["1"]["acceptance_rate"] <= 1
    assert "150 a second were not tried" in target.detail
