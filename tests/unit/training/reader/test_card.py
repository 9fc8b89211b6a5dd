"""The card beside the weights."""

from pathlib import Path

import pytest

from querygist.artifact.reader_card import ReaderCard
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from training.reader import card, fusion

pytestmark = pytest.mark.training

WEIGHTS = dict.fromkeys(fusion.FEATURES, 0.5)


def test_written_card_is_what_serving_reads(tmp_path: Path) -> None:
    files = embeddings, layers = tmp_path / "embeddings", tmp_path / "layers"
    tokenizer = tmp_path / "elsewhere" / "tokenizer.json"
    tokenizer.parent.mkdir()
    for path in (*files, tokenizer):
        path.write_text(path.name)
    report = {"calibration": {"temperature": 2.0}, "refusals": {"threshold": 0.0}, "fusion": WEIGHTS}
    card.write(tmp_path, report, files, tokenizer)
    made = ReaderCard.load(tmp_path)
    assert made.weights.embeddings.sha256 == sha256_of(embeddings)
    assert made.weights.layers.file == layers.name
    assert made.tokenizer.sha256 == sha256_of(tokenizer)
    assert made.threshold == pytest.approx(0.5)
    assert made.temperature == 2.0
    assert card.fusion_weights(tmp_path).tolist() == list(WEIGHTS.values())


def test_missing_card_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="evaluate-reader"):
        card.fusion_weights(tmp_path)
