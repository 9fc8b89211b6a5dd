"""Make one model's folder: under another name first, renamed when it is whole.

So a killed build leaves nothing that looks finished, and whoever reads the folder sees all of it or nothing.
"""

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from querygist.artifact import gguf_llama, lora, merge, openvino_ir
from querygist.artifact.fingerprint import RECEIPT, TOKENIZER, Receipt, StoredFile
from querygist.artifact.plan import Plan
from querygist.errors import ArtifactError
from querygist.prompting.tokenizer import Tokenizer

_PARTIAL = ".partial-"


def sweep(parent: Path) -> None:
    """Remove what killed builds left. The caller holds the lock, so nobody is at work in there."""
    for left in parent.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)


def assemble(plan: Plan, say: Callable[[str], None]) -> Receipt:
    """Build `plan` into its folder. The caller holds the lock. Raises ArtifactError and OSError."""
    work = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=plan.folder.parent))
    try:
        say(f"base model {plan.base.name}")
        base = gguf_llama.reader(plan.base.gguf(work))
        end_id = plan.base.write_tokenizer(work / TOKENIZER)
        vocabulary_size = Tokenizer(work / TOKENIZER).vocabulary_size
        _check_fit(plan, base, vocabulary_size)
        adapter = lora.load(plan.weights_dir, plan.adapter) if plan.adapter else None
        say(f"merging {'base and adapter' if adapter else 'the base alone'}, {plan.precision}")
        merged = work / "merged.gguf"
        merge.merge(base, adapter, merged, merge.STORED_AS[plan.precision])
        say("converting to OpenVINO's format")
        openvino_ir.export(merged)
        receipt = Receipt(
            content_hash=plan.content_hash,
            built_at=datetime.now(UTC),
            end_id=end_id,
            vocabulary_size=vocabulary_size,
            files={name: StoredFile.of(work / name) for name in (*openvino_ir.FILES, TOKENIZER)},
        )
        _publish(work, receipt, plan.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return receipt


def _check_fit(plan: Plan, base: Any, vocabulary_size: int) -> None:
    """The base must have room for the context, and a row for every token id."""
    context = plan.manifest.context
    window, needed = int(gguf_llama.field(base, "llama.context_length")), context.prompt + context.output
    if window < needed:
        raise ArtifactError(
            f"{plan.base.name} reads {window} tokens at most, and the model manifest's context needs {needed}. "
            "Use a base with a longer context."
        )
    rows = next((int(tensor.shape[1]) for tensor in base.tensors if tensor.name == "token_embd.weight"), 0)
    if rows < vocabulary_size:
        raise ArtifactError(
            f"{plan.base.name} knows {rows} token ids, and its tokenizer makes {vocabulary_size}: "
            "they do not belong together."
        )
    if plan.shipped and vocabulary_size != plan.manifest.tokenizer.vocabulary_size:
        raise ArtifactError(
            f"The shipped tokenizer has {vocabulary_size} ids; the model manifest says "
            f"{plan.manifest.tokenizer.vocabulary_size}. Restore both from the release."
        )


def _publish(work: Path, receipt: Receipt, folder: Path) -> None:
    """Give the finished files their place, in one step."""
    for path in work.iterdir():
        if path.name not in receipt.files:
            path.unlink()  # the GGUFs on the way
    (work / RECEIPT).write_text(receipt.model_dump_json(indent=2), encoding="utf-8")
    work.chmod(0o755)
    if folder.exists():
        shutil.rmtree(folder)  # damaged, or it would have been used
    work.rename(folder)
