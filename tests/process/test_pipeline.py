"""The whole training pipeline on forty rows, to a served summary."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from querygist.artifact.manifest import Manifest
from tests.conftest import REPOSITORY
from tests.process.conftest import Start
from tests.process.egress import Watch

pytestmark = pytest.mark.smoke

BODY = {
    "query": "Who built the harbour?",
    "document": "The harbour was built in 1867 by the Danish engineer Jens Holm. It has two quays.",
    "fallback": "none",
}


def pipeline(folder: Path, watch: Watch) -> str:
    overrides = {
        "work_dir": folder / "run",
        "evaluate.folder": folder / "results",
        "export.folder": folder / "weights",
    }
    command = [*watch.prefix, sys.executable, "-m", "training", "pipeline", "--config", "training/configs/smoke.yaml"]
    for name, value in overrides.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(
        command, env=dict(watch.environment), cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(1200)
async def test_from_rows_to_a_served_summary(tmp_path: Path, start: Start, watch: Watch) -> None:
    pipeline(tmp_path, watch)
    run, weights = tmp_path / "run", tmp_path / "weights"
    for stage in ("sft", "distill", "dpo"):
        lines = [json.loads(line) for line in (run / stage / "metrics.jsonl").read_text().splitlines()]
        assert {"loss", "score"} <= {name for line in lines for name in line}
        assert (run / stage / "loss.png").stat().st_size > 1000
    manifest = Manifest.load(weights)
    assert manifest.adapter
    assert manifest.scores
    assert (weights / manifest.adapter.file).stat().st_size < 20_000_000
    assert "## Learned from" in (weights / "README.md").read_text()
    report = json.loads((tmp_path / "results" / "test" / "evaluation.json").read_text())
    assert report["models"]["student"]["adapter_sha256"] == manifest.adapter.sha256

    told = pipeline(tmp_path, watch)
    assert told.count("already done") == 6
    assert len((run / "sft" / "metrics.jsonl").read_text().splitlines()) == 3

    assert watch.attempts() == [], "nothing leaves the machine"

    async with start(WEIGHTS_DIR=str(weights)) as gateway:
        answer = (await gateway.client.post("/summarize", json=BODY)).json()
        assert answer["model"] == {"name": manifest.name, "version": manifest.version}
        assert answer["reason"] in (None, "checker"), "the model was asked"
