"""The receipt of a finished build: what must lie in its folder."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.files import sha256_of

RECEIPT = "built.json"
TOKENIZER = "tokenizer.json"


class StoredFile(BaseModel):
    """One file of the build: bytes and sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "StoredFile":
        """Measure a file. Raises OSError."""
        return cls(size=path.stat().st_size, sha256=sha256_of(path))


class Receipt(BaseModel):
    """Written last into a build's folder, from what was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content_hash: str
    built_at: datetime
    end_id: int
    vocabulary_size: int
    files: dict[str, StoredFile]

    @classmethod
    def of(cls, folder: Path, content_hash: str) -> "Receipt | None":
        """The receipt in `folder` if it is of this content and every file has its size; None means: build it.

        Cheap on purpose (each start does it): hashes are compared by `artifact.verify`.
        """
        try:
            receipt = cls.model_validate_json((folder / RECEIPT).read_bytes())
            whole = all((folder / name).stat().st_size == file.size for name, file in receipt.files.items())
        except (OSError, ValidationError):
            return None
        return receipt if whole and receipt.content_hash == content_hash else None
