"""The evaluate stage with a scripted generator."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from querygist.errors import ConfigurationError, EngineUnavailable
from tests.unit.training.preferences.test_build_pairs import ANSWER, DOCUMENT
from training.config import Config, DataConfig, EvaluateConfig, GeneratorConfig, ReportConfig
from training.data.examples import Example, Kind, write_examples
from training.evaluate import evaluation
from training.generate.generator import GREEDY, Generated, Sampling


def example(number: int, source: str, kind: Kind = "positive") -> Example:
    references = (ANSWER,) if kind == "positive" else ()
    return Example(
        f"{source}-{number}", source, "Who built the harbour?", DOCUMENT, ANSWER, 20, kind, False, references
    )


TEST = [example(number, source) for source in "ab" for number in range(3)]
NEGATIVES = [example(9, "a", "hard")]


class Copying:
    name = "copying"
    asked: list[str]

    def __init__(self, dies_after: int = 99) -> None:
        self._left = dies_after

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        for one in examples:
            if not self._left:
                raise EngineUnavailable("It died.", retry_after=1)
            self._left -= 1
            Copying.asked.append(one.id)
            yield [Generated(ANSWER, answerable=True, tokens=20, passes=5, seconds=0.1)]

    def close(self) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_examples(tmp_path / "test.jsonl", TEST)
    write_examples(tmp_path / "negatives_test.jsonl", NEGATIVES)
    return Config(
        seed=1,
        work_dir=tmp_path,
        data=DataConfig(files=[tmp_path / "rows.jsonl"]),
        evaluate=EvaluateConfig(
            folder=tmp_path / "results",
            systems={"student": GeneratorConfig(engine="http", base_url="http://127.0.0.1:1")},
            reports={
                "small": ReportConfig(systems=["student"], rows=2),
                "whole": ReportConfig(systems=["student"]),
            },
        ),
    )


def run(config: Config, monkeypatch: pytest.MonkeyPatch, generator: Copying) -> None:
    monkeypatch.setattr(evaluation, "create", lambda *_: generator)
    Copying.asked = []
    evaluation.run(config, Console(file=io.StringIO()))


def test_a_report_can_ask_for_another_length(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    longer = ReportConfig(systems=["student"], max_words={"b": 45})
    both = config.evaluate.model_copy(update={"reports": {**config.evaluate.reports, "longer": longer}})
    run(config.model_copy(update={"evaluate": both}), monkeypatch, Copying())
    assert Copying.asked.count("b-0") == 2, "another length is another question"
    assert Copying.asked.count("a-0") == 1
    found = json.loads((config.evaluate.folder / "longer" / "evaluation.json").read_text())["systems"]["student"]
    assert set(found) == {"b", "all"}
    assert found["b"]["quality"]["requested"] == 45


def test_reports_share_outputs_and_nothing_is_written_twice(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    run(config, monkeypatch, Copying())
    assert sorted(Copying.asked) == sorted(one.id for one in [*TEST, *NEGATIVES])
    small, whole = (
        json.loads((config.evaluate.folder / title / "evaluation.json").read_text())["systems"]["student"]
        for title in ("small", "whole")
    )
    assert (small["all"]["quality"]["rows"], whole["all"]["quality"]["rows"]) == (4, 6)
    assert whole["a"]["quality"]["rouge"]["rouge2"]["mean"] == pytest.approx(100)
    assert whole["all"]["refusals"]["hard"] == {"count": 0, "rows": 1, "share": 0.0}
    assert whole["all"]["speed"]["step_compression"] == 4
    run(config, monkeypatch, Copying())
    assert Copying.asked == []


def test_an_evaluation_that_was_stopped_goes_on(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineUnavailable):
        run(config, monkeypatch, Copying(dies_after=3))
    assert len(Copying.asked) == 3
    run(config, monkeypatch, Copying())
    assert len(Copying.asked) == len(TEST) + len(NEGATIVES) - 3


def test_a_report_of_baselines_alone_needs_no_model(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = config.evaluate.model_copy(update={"systems": {}, "reports": {"baselines": ReportConfig(systems=[])}})
    run(config.model_copy(update={"evaluate": alone}), monkeypatch, Copying())
    assert Copying.asked == []
    found = json.loads((config.evaluate.folder / "baselines" / "evaluation.json").read_text())
    assert found["systems"]["BM25 run"]["all"]["quality"]["rows"] == 6
    assert found["models"] == {}


def test_the_first_rows_of_each_source_and_kind() -> None:
    found = evaluation.first_of_each([*TEST, *NEGATIVES], 1)
    assert [one.id for one in found] == ["a-0", "b-0", "a-9"]
    assert evaluation.first_of_each(TEST, None) == TEST


def test_a_report_names_systems_that_are_there() -> None:
    with pytest.raises(ValueError, match="names nobody, which"):
        EvaluateConfig(reports={"test": ReportConfig(systems=["nobody"])})


def test_what_a_writer_needs_is_said(config: Config) -> None:
    from training.generate.resolve import create

    with pytest.raises(ConfigurationError, match="needs a base_url"):
        create(GeneratorConfig(engine="openai"), config)
    with pytest.raises(ConfigurationError, match="needs a model"):
        create(GeneratorConfig(engine="openai", base_url="http://127.0.0.1:1"), config)
    with pytest.raises(ConfigurationError, match="stage sft has not been run"):
        create(GeneratorConfig(stage="sft"), config)
