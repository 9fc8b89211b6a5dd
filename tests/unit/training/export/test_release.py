"""Weights folders, the choice of what ships, and the model card."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.numpy import save_file

from querygist.artifact.manifest import Manifest
from querygist.engines.base import KnownAnswer
from querygist.errors import ConfigurationError
from querygist.triton_server.repository import load_config
from tests.conftest import REPOSITORY, WEIGHTS
from training.config import Config, DataConfig, EvaluateConfig, ExportConfig
from training.export import canary, release, weights_folder
from training.train.select_best import select_best


def trained(work_dir: Path, stage: str, score: float) -> Path:
    """What a training stage leaves."""
    import numpy as np

    folder = work_dir / stage / "adapter-7"
    folder.mkdir(parents=True)
    save_file({"x": np.full((2, 2), score, dtype=np.float16)}, folder / weights_folder.ADAPTER_FILE)
    (folder / weights_folder.ADAPTER_CONFIG).write_text(json.dumps({"r": 24, "lora_alpha": 48}))
    (work_dir / stage / "best.json").write_text(json.dumps({"step": 7, "score": score, "steps": 9}))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Config:
    counts = {"kinds": {"positive": 5, "hard": 2, "unrelated": 1}, "derived": 3}
    (tmp_path / "data_card.json").write_text(
        json.dumps({"files": {"train.jsonl": {"sources": {"qed": counts}}}, "licences": {"qed": ["CC BY-SA 3.0"]}})
    )
    shutil.copytree(REPOSITORY / "model_repository" / "gpu" / "tensorrt_llm", tmp_path / "gpu")
    return Config(
        seed=1,
        work_dir=tmp_path,
        data=DataConfig(files=[tmp_path / "rows.jsonl"]),
        evaluate=EvaluateConfig(folder=tmp_path / "results"),
        export=ExportConfig(
            stages=["sft", "dpo"],
            folder=tmp_path / "weights",
            triton_config=tmp_path / "gpu" / "config.pbtxt",
            version="9.8.7",
        ),
    )


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> list[KnownAnswer | None]:
    """What each export's model is found to answer; no model is built."""
    answers: list[KnownAnswer | None] = [KnownAnswer((1, 2), (3, 4))]
    monkeypatch.setattr(canary, "measure", lambda _: answers[0])
    return answers


def test_an_export_records_what_its_own_model_answers(config: Config, known: list[KnownAnswer | None]) -> None:
    trained(config.work_dir, "sft", 0.5)
    trained(config.work_dir, "dpo", 0.4)
    shipped = Manifest.load(WEIGHTS).known_answer
    assert exported(config).known_answer == known[0] != shipped
    known[0] = None
    assert exported(config).known_answer is None, "neither the shipped model's nor that of the export before"


def exported(config: Config) -> Manifest:
    release.run(config, Console(file=io.StringIO()))
    return Manifest.load(config.export.folder)


def test_the_best_by_validation_ships_and_not_the_last(config: Config, tmp_path: Path) -> None:
    trained(tmp_path, "sft", 50.5)
    with pytest.raises(ConfigurationError, match=r"stage dpo of export\.stages has not been run"):
        select_best(config)
    trained(tmp_path, "dpo", 49.0)
    assert select_best(config) == "sft"
    manifest = exported(config)
    assert manifest.adapter
    assert (manifest.version, manifest.prompt_version) == ("9.8.7", "v4")
    assert (manifest.adapter.rank, manifest.adapter.scale) == (24, 2.0)
    assert manifest.base == Manifest.load(WEIGHTS).base
    assert manifest.scores is None, "nothing was evaluated"
    card = (config.export.folder / "README.md").read_text()
    assert "| qed | 5 | 3 | 3 | CC BY-SA 3.0 |" in card
    assert "Not evaluated." in card
    assert "for a refusal that is right): 50.5." in card


def test_a_full_finetune_does_not_ship(config: Config, tmp_path: Path) -> None:
    for stage in ("sft", "dpo"):
        (trained(tmp_path, stage, 1) / weights_folder.ADAPTER_CONFIG).unlink()
    with pytest.raises(ConfigurationError, match="is no adapter: every weight was trained"):
        exported(config)


def test_the_gpu_server_says_what_it_serves(config: Config, tmp_path: Path) -> None:
    trained(tmp_path, "sft", 1)
    trained(tmp_path, "dpo", 2)
    for _ in "ab":  # again over its own
        manifest = exported(config)
        told = load_config(tmp_path / "gpu").parameters["querygist_identity"].string_value
        assert json.loads(told)["adapter_sha256"] == manifest.adapter.sha256  # type: ignore[union-attr]
        assert json.loads(told)["precision"] == "fp8"


def test_scores_come_from_the_report(config: Config, tmp_path: Path, mean: Callable[[float], Any]) -> None:
    trained(tmp_path, "sft", 1)
    trained(tmp_path, "dpo", 2)

    def aggregate(value: float) -> dict[str, Any]:
        rouge = {name: mean(value) for name in ("rouge1", "rouge2", "rouge_l")}
        return {"cast": {"quality": {"rows": 3, "rouge": rouge, "words": mean(40), "copied": mean(0.99)}}}

    (tmp_path / "results" / "test").mkdir(parents=True)
    (tmp_path / "results" / "test" / "evaluation.json").write_text(
        json.dumps({"systems": {"BM25 set": aggregate(41.2), "student": aggregate(48.126)}})
    )
    assert exported(config).scores == {"cast rouge2": 48.13}
    card = (config.export.folder / "README.md").read_text()
    assert "| cast | 3 | 48.1 (41.2) | 48.1 (41.2) | 48.1 (41.2) | 40 | 0.99 |" in card


@pytest.fixture
def mean() -> Callable[[float], Any]:
    return lambda value: {"mean": value, "low": value - 1, "high": value + 1}
