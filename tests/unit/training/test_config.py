"""pytest tests/unit/training/test_config.py"""

from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from training.config import REPOSITORY, load

GOOD = "seed: 1\ndata: {files: [rows.jsonl]}\n"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_paths_are_relative_to_the_repository_and_state_lies_in_the_cache(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUERYGIST_CACHE_DIR", str(tmp_path / "cache"))
    config = load(written, ["data.files=[rows.jsonl, /data/b.jsonl]"])
    assert config.data.files == [REPOSITORY / "rows.jsonl", Path("/data/b.jsonl")]
    assert config.work_dir == tmp_path / "cache" / "training" / "mine"


def test_overrides_reach_every_depth(written: Path) -> None:
    config = load(written, ["seed=7", "data.most_asked=50", "work_dir=/state", "data.sources={a: {share: 0.5}}"])
    assert (config.seed, config.data.most_asked, config.work_dir) == (7, 50, Path("/state"))
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
        ("seed: 1\ndata: {files: [a], least_asked: 90}\n", "least_asked (90) must not be above most_asked (80)"),
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
