"""The reader's weights as they ship: int8 with a scale for each row, in two files that each fit a repository.

A matrix W [rows, columns] is stored as `NAME` int8 and `NAME.scale` float32 [rows]; W = NAME * scale. A row's scale is
its largest magnitude / 127, so no value is off by more than half a scale. Vectors stay float32.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from querygist.files import replacing

EMBEDDINGS, LAYERS = "reader-embeddings.safetensors", "reader-layers.safetensors"
_SCALE = ".scale"
_HIGHEST = 127


def quantize(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return matrices as int8 with their scales, and heads and vectors as they are."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.ndim == 2 and name.startswith("encoder."):
            scale = value.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / _HIGHEST
            found[name] = (value / scale[:, None]).round().clamp(-_HIGHEST, _HIGHEST).to(torch.int8)
            found[name + _SCALE] = scale
        else:
            found[name] = value
    return found


def dequantize(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 weights by name."""
    return {
        name: value.to(torch.float32) * stored[name + _SCALE][:, None] if name + _SCALE in stored else value
        for name, value in stored.items()
        if not name.endswith(_SCALE)
    }


def save(weights: Mapping[str, Tensor], folder: Path) -> tuple[Path, Path]:
    """Write the two files and return them."""
    stored = quantize(weights)
    embeddings = {name: value.contiguous() for name, value in stored.items() if ".embeddings." in name}
    layers = {name: value.contiguous() for name, value in stored.items() if name not in embeddings}
    for file, part in ((EMBEDDINGS, embeddings), (LAYERS, layers)):
        with replacing(folder / file) as partial:
            save_file(part, partial)
    return folder / EMBEDDINGS, folder / LAYERS


def load(folder: Path) -> dict[str, Tensor]:
    """Return the float32 weights that the two files in a folder stand for."""
    return dequantize({**load_file(folder / EMBEDDINGS), **load_file(folder / LAYERS)})
