"""The built model: base and adapter merged into the folder the engine loads, made once and found again by its hash.

cache_dir/built/<name>-<precision>-<hash>/
    openvino_model.xml, openvino_model.bin    what ContinuousBatchingPipeline(folder) loads
    tokenizer.json
    built.json                                the receipt, written last: sizes and hashes of the rest
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from querygist.artifact import plan as plans
from querygist.artifact.assemble import assemble, sweep
from querygist.artifact.fingerprint import TOKENIZER, Receipt
from querygist.artifact.plan import Choice
from querygist.engines.base import Identity
from querygist.errors import ArtifactError
from querygist.files import sha256_of


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """What an engine needs: `path` is the folder for ContinuousBatchingPipeline, `tokenizer_path` a file in it."""

    path: Path
    tokenizer_path: Path
    identity: Identity
    content_hash: str
    receipt: Receipt


def fetch_base(choice: Choice) -> Path:
    """Have the base model on this machine, and return where. Raises ArtifactError."""
    return plans.make(choice).base.fetch()


def build(choice: Choice, say: Callable[[str], None] = lambda _: None) -> BuiltModel:
    """The built model, made now if it is not there (10 s to minutes). Safe in several processes at once.

    `say` is told what begins. Raises ArtifactError: inputs missing, changed, not fitting, or out of reach; disk full.
    """
    plan = plans.make(choice)
    parent = plan.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        receipt = Receipt.of(plan.folder, plan.content_hash)
        if receipt is None:
            with FileLock(parent / ".lock"):
                # Whoever held the lock before may have built it.
                receipt = Receipt.of(plan.folder, plan.content_hash)
                if receipt is None:
                    sweep(parent)
                    receipt = assemble(plan, say)
    except OSError as error:
        raise ArtifactError(
            f"Cannot build the model in {parent}: {error.strerror or error}. "
            "Free some space (three times the base model's size), or choose another folder with QUERYGIST_CACHE_DIR."
        ) from error
    return BuiltModel(plan.folder, plan.folder / TOKENIZER, plan.identity(receipt), plan.content_hash, receipt)


def verify(built: BuiltModel) -> None:
    """Hash every file of a built model. Raises ArtifactError, naming the file that is not what was built."""
    for name, stored in built.receipt.files.items():
        path = built.path / name
        found = sha256_of(path) if path.is_file() else "nothing"
        if found != stored.sha256:
            raise ArtifactError(
                f"{path} was changed after it was built: expected sha256 {stored.sha256}, found {found}. "
                f"Delete {built.path} and run `querygist model build`."
            )


def info(choice: Choice) -> dict[str, Any]:
    """What `querygist model info` prints, ready for JSON. Neither downloads nor builds. Raises ArtifactError."""
    plan = plans.make(choice, download=False)
    receipt = Receipt.of(plan.folder, plan.content_hash)
    described: dict[str, Any] = {
        "name": plan.base.name,
        "version": plan.version,
        "base_sha256": plan.base.sha256,
        "adapter_sha256": plan.adapter.sha256 if plan.adapter else None,
        "tokenizer_sha256": plan.manifest.tokenizer.sha256 if plan.shipped else None,
        "prompt_version": plan.prompt_version,
        "context": plan.manifest.context.model_dump(),
        "scores": plan.manifest.scores if plan.shipped else None,
        "precision": plan.precision,
        "built": None,
    }
    if receipt is not None:
        described["tokenizer_sha256"] = receipt.files[TOKENIZER].sha256
        described["built"] = {
            "path": str(plan.folder),
            "content_hash": plan.content_hash,
            "built_at": receipt.built_at.isoformat(timespec="seconds"),
            "bytes": sum(file.size for file in receipt.files.values()),
        }
    return described
