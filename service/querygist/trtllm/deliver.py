"""Bring a built engine to where Triton reads it: `python -m querygist.trtllm.deliver SOURCE TARGET`, an init container.

SOURCE is a model repository that `python -m training build-engine` wrote. It is checked where it arrives: every file
against the engine's manifest, and the manifest against the model that this release's gateway expects. Needs no GPU.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from querygist import command_line, settings
from querygist.artifact.manifest import Manifest
from querygist.engines.triton.tensorrt_llm import differing
from querygist.errors import ArtifactError
from querygist.triton_server.repository import GPU_MODEL, load_config
from querygist.trtllm.engine_manifest import EngineManifest

app = typer.Typer(add_completion=False)


@app.command()
def main(
    source: Annotated[Path, typer.Argument(help="A model repository, such as /engines/lookahead.")],
    target: Annotated[Path, typer.Argument(help="Where Triton reads it, such as /models/lookahead.")],
) -> None:
    """Copy a model repository with a TensorRT-LLM engine, and check that it arrived whole and is the right one."""
    manifest = deliver(source, target)
    typer.echo(json.dumps({"event": "engine_delivered", "to": str(target), "engine": manifest.engine}))


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


if __name__ == "__main__":
    command_line.run(app)
