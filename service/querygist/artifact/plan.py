"""Which model the settings mean: its ingredients, the hash over them, and the folder its build belongs in."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from querygist.artifact.base_model import ShippedBase, Source, resolve
from querygist.artifact.fingerprint import TOKENIZER, Receipt
from querygist.artifact.manifest import AdapterEntry, Manifest, Precision
from querygist.engines.base import Identity
from querygist.prompting import templates

_FORMAT = 1
"""Raised when this package would build other bytes from the same ingredients."""


class Choice(Protocol):
    """What of the settings decides which model is served."""

    @property
    def weights_dir(self) -> Path:
        """The folder of manifest, tokenizer and adapter."""
        ...

    @property
    def cache_dir(self) -> Path:
        """The folder for downloads and builds."""
        ...

    @property
    def base(self) -> str | None:
        """Another base model: a path or hub id."""
        ...

    @property
    def precision(self) -> Precision:
        """What the engine computes with."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """One model to serve."""

    manifest: Manifest
    weights_dir: Path
    base: Source
    precision: Precision
    content_hash: str
    folder: Path

    @property
    def shipped(self) -> bool:
        """Whether this is the manifest's model, adapter included, and not another base."""
        return isinstance(self.base, ShippedBase)

    @property
    def adapter(self) -> AdapterEntry | None:
        """The adapter to merge."""
        return self.manifest.adapter if self.shipped else None

    @property
    def prompt_version(self) -> str:
        """The manifest's; a base that was not trained for it is told in words what to do."""
        return self.manifest.prompt_version if self.shipped else templates.UNTRAINED

    @property
    def version(self) -> str:
        """The manifest's version, or the start of the other base's hash."""
        return self.manifest.version if self.shipped else self.base.sha256[:12]

    def identity(self, receipt: Receipt) -> Identity:
        """The engine's identity when it serves the build that `receipt` belongs to."""
        identity = self.manifest.identity(self.precision)
        if self.shipped:
            return identity
        return dataclasses.replace(
            identity,
            name=self.base.name,
            version=self.version,
            base_sha256=self.base.sha256,
            adapter_sha256=None,
            prompt_version=self.prompt_version,
            tokenizer_sha256=receipt.files[TOKENIZER].sha256,
            vocabulary_size=receipt.vocabulary_size,
            end_id=receipt.end_id,
        )


def make(choice: Choice, *, download: bool = True) -> Plan:
    """Check the manifest and its files, and find the base; a hub id is downloaded if allowed. Raises ArtifactError."""
    shipped = Manifest.load(choice.weights_dir)
    base = resolve(choice.base, shipped, choice.weights_dir, choice.cache_dir, download=download)
    plan = Plan(shipped, choice.weights_dir, base, choice.precision, content_hash="", folder=choice.cache_dir / "built")
    ingredients = {
        "format": _FORMAT,
        "openvino_genai": version("openvino-genai"),
        "base": base.sha256,
        "adapter": plan.adapter and {"sha256": plan.adapter.sha256, "scale": plan.adapter.scale},
        "tokenizer": shipped.tokenizer.sha256 if plan.shipped else None,
        "precision": choice.precision,
    }
    content_hash = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()
    readable = re.sub(r"[^\w.-]+", "--", base.name)
    folder = plan.folder / f"{readable}-{choice.precision}-{content_hash[:16]}"
    return dataclasses.replace(plan, content_hash=content_hash, folder=folder)
