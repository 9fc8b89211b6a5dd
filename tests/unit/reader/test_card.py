"""The reader's card: what it accepts, what it refuses, and how it says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from querygist.artifact.reader_card import ReaderCard
from querygist.errors import ArtifactError
from querygist.files import sha256_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def pinned(name: str) -> dict[str, str]:
        (tmp_path / name).write_text(name)
        return {"file": name, "sha256": sha256_of(tmp_path / name)}

    card = {
        "name": "tiny",
        "version": "1.2.3",
        "base": {"project": "base", "sha256": "b" * 64},
        "weights": {"embeddings": pinned("embeddings"), "layers": pinned("layers")},
        "tokenizer": pinned("tokenizer.json"),
        "limits": {"tokens": 512, "query": 64, "heading": 32, "unit": 160},
        "temperature": 1.5,
        "threshold": 0.4,
        "fusion": {"bm25": 0.5},
    }
    (tmp_path / "reader.json").write_text(json.dumps(card))
    return tmp_path


def test_card_is_read(folder: Path) -> None:
    card = ReaderCard.load(folder)
    assert (card.name, card.version, card.threshold, card.limits.unit) == ("tiny", "1.2.3", 0.4, 160)


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (lambda card: card.update(surprise=1), "surprise"),
        (lambda card: card.pop("version"), "version"),
        (lambda card: card.update(temperature=0), "temperature"),
        (lambda card: card.update(threshold=1.1), "threshold"),
        (lambda card: card["limits"].pop("unit"), "limits.unit"),
        (lambda card: card["tokenizer"].update(file="../tokenizer.json"), "tokenizer.file"),
        (lambda card: card["weights"]["layers"].update(sha256="short"), "weights.layers.sha256"),
        (lambda card: card.update(fusion={"bm25": "much"}), "fusion.bm25"),
    ],
)
def test_wrong_field_is_named(folder: Path, edit: Callable[[dict[str, Any]], object], where: str) -> None:
    card = json.loads((folder / "reader.json").read_text())
    edit(card)
    (folder / "reader.json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match=f"wrong at {where}.*evaluate-reader"):
        ReaderCard.load(folder)


def test_missing_card_says_what_to_do(folder: Path) -> None:
    (folder / "reader.json").unlink()
    with pytest.raises(ArtifactError, match=r"reader\.json.*Restore the folder from the release"):
        ReaderCard.load(folder)


@pytest.mark.parametrize("name", ["embeddings", "layers", "tokenizer.json"])
def test_changed_or_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("other")
    with pytest.raises(ArtifactError, match=f"{name} is not the file the reader card names"):
        ReaderCard.load(folder)
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"Cannot read .*{name}, which the reader card names"):
        ReaderCard.load(folder)
