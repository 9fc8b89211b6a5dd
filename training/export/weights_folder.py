"""A weights folder as the service reads it, around an adapter: validated, evaluated and shipped is one thing."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from querygist import settings
from querygist.artifact.manifest import MANIFEST_FILE, Manifest
from querygist.engines.base import KnownAnswer
from querygist.errors import ConfigurationError
from querygist.files import replacing, sha256_of

ADAPTER_FILE, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"


def assemble(
    folder: Path,
    adapter: Path | None,
    *,
    prompt_version: str,
    version: str | None = None,
    scores: Mapping[str, float] | None = None,
) -> Path:
    """Write manifest, tokenizer and adapter into `folder`; the shipped manifest gives the rest. Returns the folder.

    Without an adapter it is the base model alone. The manifest comes last, and in one move.
    """
    shipped = settings.load().weights_dir
    manifest = Manifest.load(shipped)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != shipped.resolve():
        shutil.copyfile(shipped / manifest.tokenizer.file, folder / manifest.tokenizer.file)
        if manifest.reader is not None:
            shutil.copytree(shipped / manifest.reader.folder, folder / manifest.reader.folder, dirs_exist_ok=True)
    described = manifest.model_dump(mode="json") | {
        "adapter": None if adapter is None else _bring(adapter, folder),
        "prompt_version": prompt_version,
        "version": version or manifest.version,
        "canary": None,  # another model's; see `record_canary`
        "scores": None if scores is None else dict(scores),
    }
    _write(folder, described)
    return folder


def record_canary(folder: Path, known: KnownAnswer) -> None:
    """Add an answer by which an engine of this model proves itself."""
    _write(folder, json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8")) | {"canary": asdict(known)})


def _write(folder: Path, described: Mapping[str, object]) -> None:
    text = re.sub(r"\[[\d,\s]+\]", lambda ids: " ".join(ids[0].split()), json.dumps(described, indent=2))
    with replacing(folder / MANIFEST_FILE) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    Manifest.load(folder)  # as whoever serves it will


def _bring(adapter: Path, folder: Path) -> dict[str, object]:
    """Copy the adapter's two files; return the manifest's entry for it. Raises ConfigurationError for another model."""
    if not (adapter / ADAPTER_CONFIG).exists():
        raise ConfigurationError(
            f"{adapter} is no adapter: every weight was trained, and only adapters ship. Train without "
            "student.full_finetune, or build from the folder as another base model."
        )
    for name in (ADAPTER_FILE, ADAPTER_CONFIG):
        with replacing(folder / name) as partial:
            shutil.copyfile(adapter / name, partial)
    found = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    return {
        "file": ADAPTER_FILE,
        "sha256": sha256_of(folder / ADAPTER_FILE),
        "rank": found["r"],
        "alpha": found["lora_alpha"],
        "rslora": bool(found.get("use_rslora")),
    }
