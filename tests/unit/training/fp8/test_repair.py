"""What ModelOpt is known to write is mended, and nothing else."""

import json
from pathlib import Path

import pytest

from querygist.errors import ArtifactError
from tests.unit.training.fp8.checkpoint_fixtures import Made
from training.fp8.check import check_config
from training.fp8.expected import ABSENT, GUESSES, repair
from training.fp8.readback import read_config


def as_modelopt_writes(made: Made, folder: Path) -> Path:
    """The right config with every known wrong field as it comes."""
    config = dict(made.config)
    for field, guess in GUESSES[made.source["model_type"]].items():
        if guess is ABSENT:
            del config[field]
        else:
            config[field] = guess
    return Made(config, made.tensors, made.source).write(folder)


def test_everything_known_is_mended(made: Made, tmp_path: Path) -> None:
    checkpoint = as_modelopt_writes(made, tmp_path / "checkpoint")
    with pytest.raises(ArtifactError, match="logits_dtype"):
        check_config(read_config(checkpoint), made.source)
    assert repair(checkpoint, made.source) == list(GUESSES[made.source["model_type"]])
    assert read_config(checkpoint) == made.config
    check_config(read_config(checkpoint), made.source)
    assert repair(checkpoint, made.source) == []


def test_the_silent_trap_of_gpt2_is_among_them(gpt2: Made, tmp_path: Path) -> None:
    checkpoint = as_modelopt_writes(gpt2, tmp_path / "checkpoint")
    assert read_config(checkpoint)["position_embedding_type"] == "rope_gpt_neox"
    repair(checkpoint, gpt2.source)
    assert read_config(checkpoint)["position_embedding_type"] == "learned_absolute"


def test_another_wrong_value_is_left_for_the_check_to_name(made: Made, tmp_path: Path) -> None:
    for field in GUESSES[made.source["model_type"]]:
        checkpoint = as_modelopt_writes(made, tmp_path / field)
        (checkpoint / "config.json").write_text(json.dumps(read_config(checkpoint) | {field: "new"}))
        assert field not in repair(checkpoint, made.source)
        with pytest.raises(ArtifactError, match=f"{field} is 'new' and must be"):
            check_config(read_config(checkpoint), made.source)
