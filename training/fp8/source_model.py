"""The model to quantize: the shipped student as it is served, and its folder that both environments read."""

import json
from pathlib import Path
from typing import Any

import torch

from querygist.artifact import fetch_base
from querygist.artifact.manifest import Manifest
from querygist.settings import Settings
from training.train.modeling import load_adapter, load_base


def shipped_student(chosen: Settings) -> Any:
    """Base and adapter of the manifest, merged, in float32. Raises ArtifactError."""
    manifest = Manifest.load(chosen.weights_dir)
    base = load_base(fetch_base(chosen))
    student = base if manifest.adapter is None else load_adapter(base, chosen.weights_dir).merge_and_unload()
    return student.eval()


def write(model: Any, folder: Path) -> None:
    """A Hugging Face folder with the weights in float16: the engine's own format for all that is not quantized."""
    model.to(torch.float16).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    if rope := config.get("rope_parameters"):
        # Its name in transformers 4, which would take the default of 10,000 without a word.
        config["rope_theta"] = rope["rope_theta"]
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a folder that `write` wrote."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return config
