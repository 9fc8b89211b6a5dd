"""What an engine is: `engine_manifest.json` beside it, and the same in the config.pbtxt it is served with.

The gateway reads it there and refuses an engine that is not the one it expects (`engines/triton/tensorrt_llm.py`).
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.engines.base import Identity
from querygist.errors import ArtifactError
from querygist.files import replacing, sha256_of
from querygist.trtllm.checkpoint import Precision
from querygist.trtllm.limits import Limits
from querygist.trtllm.machine import Machine

MANIFEST = "engine_manifest.json"


class EngineManifest(BaseModel):
    """`lookahead`: (window, n-gram, verification set) the engine was built for, None without. Hashes are sha256."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model: Identity
    lookahead: tuple[int, int, int] | None
    limits: Limits
    weights: Precision
    kv_cache: Precision
    machine: Machine
    image: str | None
    command: list[str]
    checkpoint: dict[str, str]
    engine: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write it beside the engine."""
        with replacing(folder / MANIFEST) as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "EngineManifest":
        """The manifest of the engine in `folder`, whose files are compared with it. Raises ArtifactError."""
        path = folder / MANIFEST
        try:
            manifest = cls.model_validate_json(path.read_bytes())
            found = {name: sha256_of(folder / name) for name in manifest.engine}
        except (OSError, ValidationError) as error:
            raise ArtifactError(
                f"{folder} is not an engine that `querygist engine build` finished ({error}). Build it again."
            ) from error
        if changed := [name for name, digest in manifest.engine.items() if found[name] != digest]:
            raise ArtifactError(
                f"{', '.join(changed)} in {folder} changed after {MANIFEST} was written. Build the engine again."
            )
        return manifest
