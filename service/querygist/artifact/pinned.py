"""Files pinned by their hash, in a manifest or a card."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from querygist.errors import ArtifactError
from querygist.files import sha256_of

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
"""A name inside its folder: no path leads out of it."""


class Strict(BaseModel):
    """A model that no unknown field gets into, and nobody changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PinnedFile(Strict):
    """A file in the folder of what names it."""

    file: FileName
    sha256: Sha256

    def check(self, folder: Path, named_by: str) -> None:
        """Compare the file in `folder` with its hash. Raises ArtifactError, which says that `named_by` names it."""
        path = folder / self.file
        try:
            found = sha256_of(path)
        except OSError as error:
            raise ArtifactError(
                f"Cannot read {path}, which the {named_by} names: {error.strerror}. Restore it from the release."
            ) from error
        if found != self.sha256:
            raise ArtifactError(
                f"{path} is not the file the {named_by} names: expected sha256 {self.sha256}, found {found}. "
                "Restore it from the release, or export the model again so that both agree."
            )
