"""pytest tests/unit/training/fp8/test_calibration.py"""

from pathlib import Path

import pytest

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import REPOSITORY
from tests.unit.training.row_fixtures import line, write_rows
from training import config as configs
from training.config import Config
from training.fp8 import calibration

LONG = "Owls hunt at night. " + "Their ears are not level. " * 400


def config_of(folder: Path, *lines: dict[str, object], **fp8: object) -> Config:
    write_rows(folder / "rows.jsonl", *lines)
    (folder / "run.yaml").write_text(f"seed: 1\ndata: {{files: [{folder / 'rows.jsonl'}]}}\n")
    return configs.load(folder / "run.yaml", [f"fp8.{name}={value}" for name, value in fp8.items()])


def test_prompts_are_the_services_followed_by_answers(tmp_path: Path, tokenizer: Tokenizer, identity: Identity) -> None:
    [ids] = calibration.sequences(config_of(tmp_path, line()), tokenizer, identity)
    assert ids[-1] == identity.end_id
    text = tokenizer.decode(ids)
    assert [text.count(one) for one in ("Owls hunt at night.", "This is document a.")] == [2, 2], "quoted, and read on"
    assert text.rstrip().endswith("This is document a.")


def test_long_documents_fill_the_prompt(tmp_path: Path, tokenizer: Tokenizer, identity: Identity) -> None:
    config = config_of(tmp_path, line("a"), line("b", document=LONG))
    first, second = calibration.sequences(config, tokenizer, identity)
    assert 0.8 * identity.prompt_limit < len(first) <= identity.prompt_limit + identity.output_limit
    assert len(second) < 100


def test_held_out_and_unlicensed_rows_are_left_out(tmp_path: Path, tokenizer: Tokenizer, identity: Identity) -> None:
    lines = [line("a"), line("b", split="test"), line("c", split="validation"), line("d", license="ask the author")]
    [ids] = calibration.sequences(config_of(tmp_path, *lines), tokenizer, identity)
    assert "document a." in tokenizer.decode(ids)
    with pytest.raises(ConfigurationError, match=r"No row of .* may be trained on"):
        calibration.sequences(config_of(tmp_path, *lines[1:]), tokenizer, identity)


def test_so_many_rows_and_the_same_for_the_same_seed(tmp_path: Path, tokenizer: Tokenizer, identity: Identity) -> None:
    lines = [line(f"r{number}") for number in range(20)]
    found = calibration.sequences(config_of(tmp_path, *lines, calibration_rows=5), tokenizer, identity)
    again = calibration.sequences(config_of(tmp_path, *reversed(lines), calibration_rows=5), tokenizer, identity)
    assert found == again
    assert len(found) == 5
    assert calibration.lengths(found)["prompts"] == 5


def test_the_tests_rows_are_enough_for_make_fp8(tokenizer: Tokenizer, identity: Identity) -> None:
    config = configs.load(REPOSITORY / "training/configs/fp8.yaml")
    found = calibration.sequences(config, tokenizer, identity)
    assert len(found) >= 20
    assert len(found[0]) > 300
