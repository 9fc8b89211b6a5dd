"""Files: those this installation carries, and writing one so that it is either whole or not there."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGED = Path(__file__).parent / "model_repository"
MODEL_REPOSITORY = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "model_repository"
"""Weights and Triton model folders: inside an installed wheel, or at the top of a checkout."""

_BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Lowercase hexadecimal sha256 of a file's bytes, read in blocks. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes `target` when the block ends well and is deleted when it does not.

    Readers see the old file or the new one, never a part of it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
