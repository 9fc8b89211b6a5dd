"""The card beside the weights."""

import json
from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from training.reader import card, fusion

pytestmark = pytest.mark.training

WEIGHTS = dict.fromkeys(fusion.FEATURES, 0.5)


def test_card_names_files_and_has_the_threshold_as_probability(tmp_path: Path) -> None:
    weights = tmp_path / "reader-layers.safetensors"
    weights.write_bytes(b"weights")
    report = {"calibration": {"temperature": 2.0}, "refusals": {"threshold": 0.0}, "fusion": WEIGHTS}
    made = json.loads(card.write(tmp_path, report, [weights]).read_text())
    assert made["files"] == {"reader-layers.safetensors": sha256_of(weights)}
    assert made["threshold"] == pytest.approx(0.5)
    assert made["temperature"] == 2.0
    assert card.fusion_weights(tmp_path).tolist() == list(WEIGHTS.values())


def test_missing_card_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="evaluate-reader"):
        card.fusion_weights(tmp_path)
