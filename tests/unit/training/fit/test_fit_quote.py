"""pytest tests/unit/training/fit/test_fit_quote.py"""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from querygist.errors import ConfigurationError
from querygist.text.ranking import WEIGHTS
from tests.unit.training.evaluate.example_fixtures import DOCUMENT, example
from training.config import Config, DataConfig, FitQuoteConfig
from training.data.choice_validation import FILE
from training.data.examples import write_examples
from training.fit import fit_quote
from training.fit.quote_scores import RowScore, weights_of

ONE = "Owls hunt at night."


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """People want the sentence that has the query's words, and nothing behind it."""
    people = (example(str(n), query=f"when do owls hunt {n}", references=(ONE,), max_words=9) for n in range(6))
    write_examples(tmp_path / FILE, [*people, example("no", kind="hard", document=DOCUMENT)])
    return Config(
        seed=1,
        work_dir=tmp_path,
        data=DataConfig(files=[tmp_path / "none"]),
        fit_quote=FitQuoteConfig(folder=tmp_path / "results", grids={"next_bonus": [0, 1], "cut_room": [4, 8]}),
    )


def test_the_weights_found_gain_and_the_report_says_so(config: Config) -> None:
    fit_quote.run(config, Console(file=io.StringIO()))
    found = json.loads((config.fit_quote.folder / "quote.json").read_text())
    assert found["rows"] == 6, "who is not answered has no choice to score"
    assert found["found"]["next_bonus"] == 0
    assert found["means"]["found"]["sentence_f1"]["mean"] == 100
    assert found["gain"]["mean"] > 0
    assert found["cross_fitted_gain"]["mean"] == pytest.approx(found["gain"]["mean"])
    assert {value: gain["mean"] for value, gain in found["curves"]["next_bonus"]}[0] == 0
    assert (config.fit_quote.folder / "quote.png").read_bytes().startswith(b"\x89PNG")
    looks = [json.loads(line) for line in (config.work_dir / fit_quote.LOOKS).read_text().splitlines()]
    assert [look["mean"] for look in looks] == [look["mean"] for look in found["looks"]]


def test_a_weight_that_is_none_is_named(config: Config) -> None:
    wrong = config.fit_quote.model_copy(update={"grids": {"length of it": [1]}})
    with pytest.raises(ConfigurationError, match="grids names length of it; weights are length,"):
        fit_quote.run(config.model_copy(update={"fit_quote": wrong}), Console(file=io.StringIO()))


def test_weights_of_a_point_keep_their_types() -> None:
    found = weights_of({"cut_room": 4.0, "entry": 0.25})
    assert (found.cut_room, found.entry, found.length) == (4, 0.25, WEIGHTS.length)
    assert type(found.cut_room) is int


def test_an_answer_in_own_words_is_scored_by_rouge_alone() -> None:
    assert RowScore(40, 60, 9).mean == 50
    assert RowScore(40, None, 9).mean == 40


def test_the_longer_length_has_its_share_of_the_objective(config: Config) -> None:
    shared = config.fit_quote.model_copy(update={"longer_share": 0.5, "grids": {"next_bonus": [1]}})
    fit_quote.run(config.model_copy(update={"fit_quote": shared}), Console(file=io.StringIO()))
    found = json.loads((config.fit_quote.folder / "quote.json").read_text())
    gains = (
        found["means"][f"found{at}"]["objective"]["mean"] - found["means"][f"shipped{at}"]["objective"]["mean"]
        for at in ("", ", 60 words")
    )
    assert found["gain"]["mean"] == pytest.approx(sum(gains) / 2)
