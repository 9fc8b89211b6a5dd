"""The card beside the weights."""

from pathlib import Path

import pytest

from querygist.artifact.reader_card import ReaderCard
from querygist.files import sha256_of
from training.reader import card

pytestmark = pytest.mark.training


def test_a_written_card_is_what_serving_loads(tmp_path: Path) -> None:
    shipped, elsewhere = tmp_path / "shipped", tmp_path / "tokenizer.json"
    shipped.mkdir()
    weights = (shipped / "reader-embeddings.safetensors", shipped / "reader-layers.safetensors")
    for file in (*weights, elsewhere):
        file.write_text(file.name)
    card.write(shipped, weights, elsewhere, fusion={})
    card.write(shipped, weights, elsewhere, temperature=2.0, threshold=0.25, fusion={"bias": 0.5})
    found = ReaderCard.load(shipped)
    assert found.tokenizer.sha256 == sha256_of(elsewhere)
    assert (found.temperature, found.threshold, found.fusion) == (2.0, 0.25, {"bias": 0.5})
