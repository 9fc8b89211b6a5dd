"""pytest tests/unit/training/data/test_choice_validation.py"""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from querygist.errors import ConfigurationError
from querygist.prompting.templates import NO_ANSWER
from tests.unit.training.data.test_choice_selection import ROWS, row
from training.config import REPOSITORY, ChoicesConfig, Config, DataConfig
from training.data import choice_validation
from training.data.choice_rows import ChoiceRow, read
from training.data.choice_validation import FILE, read_frozen
from training.data.examples import read_examples


def lines(rows: list[ChoiceRow]) -> str:
    return "".join(row.model_dump_json() + "\n" for row in rows)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines(ROWS).encode()))
    (tmp_path / "test.jsonl").write_text(lines([row("t", split="test")]))
    return Config(
        seed=1,
        work_dir=tmp_path / "work",
        data=DataConfig(files=[tmp_path / "none"]),
        choices=ChoicesConfig(
            files=[tmp_path / "rows.jsonl.gz"],
            held_out=[tmp_path / "test.jsonl"],
            frozen=tmp_path / "frozen.json",
            answerable={"web": 8, "papers": 4},
            unanswerable={"web": 3},
        ),
    )


def run(config: Config) -> None:
    config.work_dir.mkdir(exist_ok=True)
    choice_validation.run(config, Console(file=io.StringIO()))


def test_rows_are_frozen_once_and_then_the_same(config: Config) -> None:
    run(config)
    first = config.choices.frozen.read_bytes()
    run(config.model_copy(update={"seed": 2}))
    assert config.choices.frozen.read_bytes() == first
    examples = read_examples(config.work_dir / FILE)
    assert [one.id for one in examples] == list(read_frozen(config.choices.frozen).rows)
    assert [one.kind for one in examples].count("positive") == 12
    refusals = [one for one in examples if one.kind == "hard"]
    assert {(one.summary, one.references) for one in refusals} == {(NO_ANSWER, ())}
    assert {one.max_words for one in examples if one.source == "papers"} == {15}, "14 words of two sentences, in fives"


def test_the_frozen_file_holds_no_text(config: Config) -> None:
    run(config)
    assert "eats" not in config.choices.frozen.read_text()


@pytest.mark.parametrize(
    "change", [{"summary": "Another."}, {"query": "another"}, {"document": "One. Two. Three."}, {"id": "x"}]
)
def test_a_row_that_is_not_the_same_is_refused(config: Config, tmp_path: Path, change: dict[str, str]) -> None:
    run(config)
    (config.work_dir / FILE).unlink()
    chosen = next(iter(read_frozen(config.choices.frozen).rows))
    rows = [one.model_copy(update=change) if one.id == chosen else one for one in ROWS]
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines(rows).encode()))
    with pytest.raises(ConfigurationError, match=f"1 of 15 .* such as {chosen}"):
        run(config)
    assert not (config.work_dir / FILE).exists()


def test_an_edited_frozen_file_is_refused(config: Config) -> None:
    run(config)
    found: dict[str, Any] = json.loads(config.choices.frozen.read_text())
    found["rows"].popitem()
    config.choices.frozen.write_text(json.dumps(found))
    with pytest.raises(ConfigurationError, match="were edited"):
        run(config)


def test_the_committed_rows_are_whole_and_none_is_excluded() -> None:
    found = read_frozen(REPOSITORY / "training/data/choice_validation.json")
    strata: list[str] = [row.stratum for row in found.rows.values()]
    assert len(strata) - strata.count("unanswerable") >= 300
    assert min(map(strata.count, ("several", "missed", "found"))) >= 130
    assert found.rows.keys().isdisjoint(found.excluded)


def test_bad_rows_are_named_by_line_without_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(lines(ROWS[:1]) + '{"id": "secret"}\n' + lines(ROWS[:1]))
    with pytest.raises(ConfigurationError) as raised:
        read([path])
    assert "2: source: Field required" in raised.value.detail
    assert "3: id: f0 is there twice" in raised.value.detail
    assert "secret" not in raised.value.detail
    with pytest.raises(ConfigurationError, match="Cannot read the rows"):
        read([tmp_path / "none.jsonl"])
