"""pytest tests/unit/training/test_config.py"""

from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from training.config import REPOSITORY, Section, TrainerConfig, load
from training.renamed_keys import RENAMED

GOOD = "seed: 1\ndata: {files: [rows.jsonl]}\n"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_paths_are_relative_to_the_repository(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUERYGIST_CACHE_DIR", str(tmp_path / "cache"))
    config = load(written, ["data.files=[rows.jsonl, /data/b.jsonl]"])
    assert config.data.files == [REPOSITORY / "rows.jsonl", Path("/data/b.jsonl")]
    assert config.work_dir == tmp_path / "cache" / "training" / "mine"


def test_overrides_reach_every_depth(written: Path) -> None:
    config = load(written, ["seed=7", "data.max_target_words=50", "work_dir=/state", "data.sources={a: {share: 0.5}}"])
    assert (config.seed, config.data.max_target_words, config.work_dir) == (7, 50, Path("/state"))
    assert config.data.rule("a").share == 0.5
    assert config.data.rule("b").share == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\n", "data: Field required"),
        (GOOD + "sede: 2\n", "sede: Extra inputs"),
        (
            "seed: 1\ndata: {files: [a], negative_share: 1.5}\n",
            "data.negative_share: Input should be less than 1 (found 1.5)",
        ),
        (
            "seed: 1\ndata: {files: [a], min_target_words: 90}\n",
            "min_target_words (90) must not be above max_target_words (80)",
        ),
        ("seed: 1\ndata: {files: []}\n", "data.files: List should have at least 1 item"),
        ("- a list", "must be a mapping"),
        ("seed: [", "is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    assert str(path) in raised.value.detail
    assert said in raised.value.detail


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["sft.start=base", "sft.rows=4"], "sft: Value error, start is now init_from, rows is now batch_size"),
        (["validation_rows=9"], "validation_rows is now max_eval_samples"),
        (["data.sources={a: {least_words: 3}}"], "least_words is now min_words"),
        (["preferences.pairs.most_alike=1"], "pairs is now pair_rules"),
        (["evaluate.systems={a: {in_flight: 8}}"], "in_flight is now concurrency"),
        (["data.rows=3"], "data.rows: Extra inputs"),
    ],
)
def test_an_old_key_names_the_new_one(written: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(written, overrides)
    assert said in raised.value.detail


def test_every_renamed_key_is_a_key_of_a_section() -> None:
    sections = Section.__subclasses__() + TrainerConfig.__subclasses__()
    assert set(RENAMED.values()) <= {name for section in sections for name in section.model_fields}


@pytest.mark.parametrize("override", ["seed", "=1", "seed.x=1", "seed=["])
def test_an_override_that_sets_nothing_is_refused(written: Path, override: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sets nothing|cannot be set|not YAML"):
        load(written, [override])


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["student", "smoke"])
def test_shipped_configs_are_valid(name: str) -> None:
    assert load(REPOSITORY / "training" / "configs" / f"{name}.yaml").data.files
