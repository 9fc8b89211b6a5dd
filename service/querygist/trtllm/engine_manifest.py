"""The identity of an engine: `engine_manifest.json` beside it, and the same in the config.pbtxt it is served with.

The gateway reads it there and refuses an engine that is not the one it expects (`engines/triton/tensorrt_llm.py`).
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from querygist import json_files
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
        """Read the manifest of the engine in `folder`, and compare its files with it. Raises ArtifactError."""
        what = "manifest of an engine that `querygist engine build` finished"
        manifest = json_files.load(cls, folder / MANIFEST, what, "Build it again.", raising=ArtifactError)
        files = {name: folder / name for name in manifest.engine}
        if changed := [n for n, path in files.items() if not path.is_file() or sha256_of(path) != manifest.engine[n]]:
            raise ArtifactError(
                f"{', '.join(changed)} in {folder} changed after {MANIFEST} was written. Build the engine again."
            )
        return manifest
