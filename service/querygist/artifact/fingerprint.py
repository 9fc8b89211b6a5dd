"""The fingerprint of a finished build: what must lie in its folder."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.files import sha256_of

FINGERPRINT = "built.json"
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


class Fingerprint(BaseModel):
    """Written last into a build's folder, from what was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content_hash: str
    built_at: datetime
    end_id: int
    vocabulary_size: int
    files: dict[str, StoredFile]

    @classmethod
    def read(cls, folder: Path, content_hash: str) -> "Fingerprint | None":
        """Return the fingerprint in `folder` if it is of this content and every file has its size; None: build it.

        Hashes are not compared: each start does this.
        """
        try:
            fingerprint = cls.model_validate_json((folder / FINGERPRINT).read_bytes())
            whole = all((folder / name).stat().st_size == file.size for name, file in fingerprint.files.items())
        except (OSError, ValidationError):
            return None
        return fingerprint if whole and fingerprint.content_hash == content_hash else None
