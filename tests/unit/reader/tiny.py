"""A reader of random weights: 2 layers, 2 heads of 32, inputs of at most 64 tokens."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from querygist.files import sha256_of
from tests.unit.reader.fixtures import tokenizer

WIDTH, WIDE, LAYERS, VOCABULARY, TOKENS = 64, 128, 2, 200, 64


def write(folder: Path) -> Path:
    """Write reader.json and the files that it names."""
    embeddings, layers = _tensors()
    save_file(embeddings, folder / "embeddings.safetensors")
    save_file(layers, folder / "layers.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    card = {
        "name": "tiny",
        "version": "1",
        "base": {"project": "base", "sha256": "b" * 64},
        "weights": {
            "embeddings": _pinned(folder / "embeddings.safetensors"),
            "layers": _pinned(folder / "layers.safetensors"),
        },
        "tokenizer": _pinned(folder / "tokenizer.json"),
        "limits": {"tokens": TOKENS, "query": 8, "heading": 4, "unit": 20},
        "temperature": 2.0,
        "threshold": 0.4,
        "fusion": {"bm25": 0.5},
    }
    (folder / "reader.json").write_text(json.dumps(card))
    return folder


def _pinned(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256_of(path)}


def _tensors() -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    chance = np.random.default_rng(0)

    def matrix(name: str, rows: int, columns: int) -> dict[str, NDArray[Any]]:
        scale = chance.uniform(0.5, 2, rows).astype(np.float32) / 127 / columns**0.5
        return {
            f"{name}.weight": chance.integers(-127, 128, (rows, columns), np.int8),
            f"{name}.weight.scale": scale,
        }

    def linear(name: str, rows: int, columns: int) -> dict[str, NDArray[Any]]:
        return matrix(name, rows, columns) | {f"{name}.bias": chance.normal(0, 0.1, rows).astype(np.float32)}

    def norm(name: str) -> dict[str, NDArray[Any]]:
        weight, bias = chance.normal(1, 0.1, WIDTH), chance.normal(0, 0.1, WIDTH)
        return {f"{name}.weight": weight.astype(np.float32), f"{name}.bias": bias.astype(np.float32)}

    tables = {"word": VOCABULARY, "position": TOKENS, "token_type": 2}
    embeddings = norm("encoder.embeddings.LayerNorm")
    for name, rows in tables.items():
        embeddings |= matrix(f"encoder.embeddings.{name}_embeddings", rows, WIDTH)
    layers: dict[str, NDArray[Any]] = {}
    for name in (f"encoder.encoder.layer.{number}" for number in range(LAYERS)):
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            layers |= linear(f"{name}.{part}", WIDTH, WIDTH)
        layers |= linear(f"{name}.intermediate.dense", WIDE, WIDTH) | linear(f"{name}.output.dense", WIDTH, WIDE)
        layers |= norm(f"{name}.attention.output.LayerNorm") | norm(f"{name}.output.LayerNorm")
    for name, rows in {"unit_head": 2, "page_head": 1}.items():
        layers[f"{name}.weight"] = chance.normal(0, 1, (rows, WIDTH)).astype(np.float32)
        layers[f"{name}.bias"] = chance.normal(0, 1, rows).astype(np.float32)
    return embeddings, layers
