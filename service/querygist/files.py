"""Files: those this installation carries, and writing one so that it is either whole or not there."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGED = Path(__file__).parent / "model_repository"
MODEL_REPOSITORY = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "model_repository"
"""Weights and Triton model folders: inside an installed wheel, or at the top of a checkout."""

_WORK = ".partial-"


def sha256_of(path: Path) -> str:
    """Return the lowercase hexadecimal sha256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `target` when the block ends without an error, else it is deleted.

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


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent`, removed when the block ends; so is what killed processes left.

    The caller holds the lock of `parent`: nobody else is at work in there.
    """
    for left in parent.glob(f"{_WORK}*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
