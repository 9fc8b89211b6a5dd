"""The receipt of a finished stage: from what it made which files. While it holds, there is nothing to do."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

import querygist
from querygist.artifact.fingerprint import StoredFile
from querygist.files import replacing, sha256_of


class Receipt(BaseModel):
    """Written last. `made_from`: what went in, by name; `outputs`: what came out, by file name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_from: dict[str, str]
    outputs: dict[str, StoredFile]


def holds(path: Path, made_from: Mapping[str, str]) -> bool:
    """Whether the outputs beside the receipt at `path` were made from exactly this, and are intact."""
    try:
        receipt = Receipt.model_validate_json(path.read_bytes())
        intact = all(StoredFile.of(path.parent / name) == file for name, file in receipt.outputs.items())
    except (OSError, ValidationError):
        return False
    return intact and receipt.made_from == dict(made_from)


def write(path: Path, made_from: Mapping[str, str], outputs: Iterable[Path]) -> None:
    """Write the receipt of outputs that lie in its folder."""
    receipt = Receipt(made_from=dict(made_from), outputs={file.name: StoredFile.of(file) for file in outputs})
    with replacing(path) as partial:
        partial.write_text(json.dumps(receipt.model_dump(), indent=2) + "\n", encoding="utf-8")


def sha256_of_text(text: str) -> str:
    """Lowercase hexadecimal."""
    return sha256(text.encode()).hexdigest()


@cache
def source_hash() -> str:
    """sha256 over every Python file of training and querygist, by path: what a stage's outputs follow from."""
    roots = [Path(__file__).parent, Path(querygist.__file__).parent]
    files = [(path.relative_to(root.parent), path) for root in roots for path in root.rglob("*.py")]
    return sha256_of_text("".join(f"{name.as_posix()} {sha256_of(path)}\n" for name, path in sorted(files)))
