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

    def is_at(self, path: Path) -> bool:
        """True if the file at `path` is this one; one of another size is not read. Raises OSError."""
        return path.stat().st_size == self.size and sha256_of(path) == self.sha256


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
        """Return the fingerprint in `folder` if it is of this content and the files are those built; None: build it.

        Each start does this: 0.3 s for the 144 MB of int8 on one core with SHA instructions.
        """
        try:
            fingerprint = cls.model_validate_json((folder / FINGERPRINT).read_bytes())
            whole = all(file.is_at(folder / name) for name, file in fingerprint.files.items())
        except (OSError, ValidationError):
            return None
        return fingerprint if whole and fingerprint.content_hash == content_hash else None
