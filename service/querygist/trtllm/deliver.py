"""Bring a built engine to where Triton reads it: `querygist engine deliver SOURCE TARGET`, an init container.

SOURCE is a model repository that `querygist engine build` wrote. It is checked where it arrives: every file
against the engine's manifest, and the manifest against the model that this release's gateway expects. Needs no GPU.
"""

import shutil
from dataclasses import asdict
from pathlib import Path

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.engines.triton.tensorrt_llm import differing
from querygist.errors import ArtifactError
from querygist.triton_server.repository import GPU_MODEL, load_config
from querygist.trtllm.engine_manifest import EngineManifest


def deliver(source: Path, target: Path) -> EngineManifest:
    """Copy `source` over `target`. Raises ArtifactError when what arrives is not whole, or not what belongs there."""
    try:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    except (OSError, shutil.Error) as error:
        raise ArtifactError(f"Cannot copy {source} to {target}: {error}") from error
    model = target / GPU_MODEL.name
    manifest = EngineManifest.read(model / "1")
    shipped = Manifest.load(settings.load().weights_dir)
    if other := differing(asdict(manifest.model), shipped.identity(settings.load().precision)):
        raise ArtifactError(f"{source} is an engine of another model than this release's: {'; '.join(other)}.")
    place = load_config(model).parameters["gpt_model_path"].string_value
    if Path(place) != (model / "1").absolute():
        raise ArtifactError(
            f"{source} is to be served from {place}, not from {model / '1'}. Build it again with "
            f"--served-from {target.parent}."
        )
    return manifest
