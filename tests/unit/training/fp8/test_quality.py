"""pytest tests/unit/training/fp8/test_quality.py"""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from tests.conftest import WEIGHTS
from tests.unit.training.evaluate.example_fixtures import example
from tests.unit.training.generate.test_transformers_generator import tiny
from training import config as configs
from training.config import Config
from training.data.examples import write_examples
from training.fp8 import quality, readback, source_model
from training.generate.generator import Generated

CONFIG = "seed: 1\ndata: {files: [unused.jsonl]}\nevaluate: {folder: %s}\nfp8: {quality_rows: 5}\n"


def test_sources_take_turns() -> None:
    counts = {"a": 9, "b": 2, "c": 5}
    examples = [replace(example(f"{name}{n}"), source=name) for name, count in counts.items() for n in range(count)]
    found = quality.choose_rows(examples, 8, seed=1)
    assert [one.source for one in found] == ["a", "b", "c", "a", "b", "c", "a", "c"]
    assert quality.choose_rows(list(reversed(examples)), 8, seed=1) == found
    assert quality.choose_rows(examples, 8, seed=2) != found
    assert len(quality.choose_rows(examples, 99, seed=1)) == 16


def test_scores_by_hand() -> None:
    examples = [replace(example(id_), source=id_, summary="owls hunt at night", references=()) for id_ in "ab"]
    right, half = Generated("owls hunt at night", answerable=True), Generated("owls hunt", answerable=True)
    refused = Generated("", answerable=False)
    found = quality.compare(examples, {"a": right, "b": half}, {"a": right, "b": refused}, seed=1)
    assert list(found.costs) == ["a", "b", "all"]
    cost = found.costs["all"]
    assert (cost.same.count, cost.same.rows) == (1, 2)
    assert (cost.fp32_refused.count, cost.fp8_refused.count) == (0, 1)
    assert cost.fp32.rouge.rouge2.mean == pytest.approx((100 + 50) / 2)  # owls hunt: 1 of 1 bigrams, of 3: F1 50
    assert cost.fp8.rouge.rouge2.mean == pytest.approx(50)
    assert cost.difference.rouge2.mean == pytest.approx(-25)
    assert cost.fp32.rouge.rouge_l.mean == pytest.approx((100 + 100 * 2 / 3) / 2)
    assert found.costs["a"].difference.rouge2.mean == found.costs["a"].difference.rouge_l.mean == 0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "run.yaml").write_text(CONFIG % (tmp_path / "results"))
    config = configs.load(tmp_path / "run.yaml", [f"work_dir={tmp_path / 'work'}"])
    rows = [replace(example(f"r{n}"), source="ab"[n % 2], max_words=5) for n in range(7)]
    write_examples(config.work_dir / "test.jsonl", rows)
    return config


@pytest.fixture
def run(
    config: Config, tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[list[str], str]]:
    """Runs the comparison of two tiny models; which of them were loaded, and what was said."""
    checkpoint = tmp_path / "trtllm"
    checkpoint.mkdir()
    (checkpoint / readback.WEIGHTS).write_bytes(b"weights")

    def running() -> tuple[list[str], str]:
        loaded: list[str] = []

        def load(name: str, seed: int) -> Callable[[Any], Any]:
            return lambda _: loaded.append(name) or tiny(seed, identity.vocabulary_size, identity.end_id)

        monkeypatch.setattr(source_model, "shipped_student", load("fp32", 0))
        monkeypatch.setattr(readback, "load", load("fp8", 1))
        said = io.StringIO()
        quality.run(config, settings.load(weights_dir=WEIGHTS), checkpoint, Console(file=said, width=200))
        return loaded, said.getvalue()

    return running


def test_the_report_and_that_a_second_run_writes_nothing(
    run: Callable[[], tuple[list[str], str]], config: Config, tmp_path: Path
) -> None:
    loaded, said = run()
    assert loaded == ["fp32", "fp8"]
    assert "5 rows compared" in said
    folder = tmp_path / "results/fp8"
    numbers = json.loads((folder / "fp8.json").read_text())
    assert len(numbers["fp32"]) == len(numbers["fp8"]) == numbers["costs"]["all"]["same"]["rows"] == 5
    assert numbers["costs"]["all"]["same"]["count"] < 5, "two models that differ"
    assert numbers["model"]["version"] == Manifest.load(WEIGHTS).version
    table = (folder / "fp8.md").read_text()
    assert "| all | 5 |" in table
    assert "Not simulated" in table
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run()[0] == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_was_stopped_goes_on(
    run: Callable[[], tuple[list[str], str]], config: Config, tmp_path: Path
) -> None:
    run()
    report = (tmp_path / "results/fp8/fp8.json").read_text()
    [outputs] = (config.work_dir / "fp8").glob("fp8-*.jsonl")
    lines = outputs.read_text().splitlines(keepends=True)
    outputs.write_text("".join(lines[:2]))  # in the middle of a batch
    assert run()[0] == ["fp8"]
    assert outputs.read_text() == "".join(lines)
    assert (tmp_path / "results/fp8/fp8.json").read_text() == report


def test_another_checkpoint_is_written_for_again(run: Callable[[], tuple[list[str], str]], tmp_path: Path) -> None:
    run()
    (tmp_path / "trtllm" / readback.WEIGHTS).write_bytes(b"other weights")
    assert run()[0] == ["fp8"]
