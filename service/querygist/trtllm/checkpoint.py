"""TensorRT-LLM checkpoints: a folder with config.json and rank0.safetensors, and whose model it is.

The format is TensorRT-LLM's (docs, "TensorRT LLM Checkpoint"). IDENTITY is ours: a checkpoint of one model must never
become an engine that is called by another one's name.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from querygist import json_files
from querygist.engines.base import Identity
from querygist.errors import ArtifactError
from querygist.files import replacing, sha256_of

CONFIG, WEIGHTS, IDENTITY = "config.json", "rank0.safetensors", "querygist_identity.json"

KV_SCALES = tuple(f".attention.{name}_cache_scaling_factor" for name in ("kv", "k", "v"))
"""Endings of the tensors that only an FP8 KV cache has."""

Precision = Literal["fp8", "fp16"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint, as far as it decides how it can be built. `positions`: the longest sequence the model knows."""

    folder: Path
    identity: Identity
    weights: Precision
    kv_cache: Precision
    query_heads: int
    kv_heads: int
    positions: int
    vocabulary: int

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Read a checkpoint. Raises ArtifactError for another folder, several GPUs, or one that names no model."""
        config = _json(folder / CONFIG)
        if not (folder / WEIGHTS).is_file():
            raise ArtifactError(f"{folder} has no {WEIGHTS}. {_EXPORT}")
        try:
            identity = identity_of(folder)
            if (ranks := config.get("mapping", {}).get("world_size", 1)) != 1:
                raise ValueError(f"it is split over {ranks} GPUs and this model needs one")
            quantization = config["quantization"]
            return cls(
                folder=folder,
                identity=identity,
                weights=_precision("quant_algo", quantization.get("quant_algo"), config["dtype"]),
                kv_cache=_precision("kv_cache_quant_algo", quantization.get("kv_cache_quant_algo"), config["dtype"]),
                query_heads=int(config["num_attention_heads"]),
                kv_heads=int(config.get("num_key_value_heads") or config["num_attention_heads"]),
                positions=int(config["max_position_embeddings"]),
                vocabulary=int(config["vocab_size"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{folder} is not a TensorRT-LLM checkpoint for us ({error}). {_EXPORT}") from error

    def hashes(self) -> dict[str, str]:
        """sha256 of its two files, by name."""
        return {name: sha256_of(self.folder / name) for name in (CONFIG, WEIGHTS)}


def sign(folder: Path, identity: Identity) -> None:
    """Write down whose model the checkpoint, or Hugging Face folder, is: what an exporter does last."""
    with replacing(folder / IDENTITY) as partial:
        partial.write_text(json.dumps(asdict(identity), indent=2) + "\n", encoding="utf-8")


def identity_of(folder: Path) -> Identity:
    """Return what `sign` wrote. Raises ArtifactError."""
    return json_files.load(Identity, folder / IDENTITY, "model's identity", _EXPORT, raising=ArtifactError)


def with_fp16_kv_cache(source: Path, into: Path) -> Path:
    """The FP8 checkpoint `source` with keys and values in FP16, in the folder `into`: the weights stay as they are.

    Their calibration does not depend on the cache. The scales of the cache are left out, as where
    `quantize.py --kv_cache_dtype` was not given. Returns `into`. Raises ArtifactError.
    """
    config = _json(source / CONFIG)
    into.mkdir(parents=True, exist_ok=True)
    config["quantization"] |= {"kv_cache_quant_algo": None}
    (into / CONFIG).write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    _copy_without(source / WEIGHTS, into / WEIGHTS, KV_SCALES)
    sign(into, identity_of(source))
    return into


def _copy_without(source: Path, target: Path, endings: tuple[str, ...]) -> None:
    """Copy a safetensors file without the tensors of such names.

    The file is 8 bytes of header length, a JSON header with each tensor's range, and the bytes (the format's README).
    numpy has no FP8, so the bytes are never read as numbers.
    """
    whole = source.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    header: dict[str, Any] = json.loads(whole[8:start])
    kept, data = {name: header[name] for name in header.keys() & {"__metadata__"}}, bytearray()
    for name, tensor in header.items():
        if name == "__metadata__" or name.endswith(endings):
            continue
        first, last = (start + offset for offset in tensor["data_offsets"])
        kept[name] = tensor | {"data_offsets": [len(data), len(data) + last - first]}
        data += whole[first:last]
    text = json.dumps(kept, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(target) as partial:
        partial.write_bytes(len(text).to_bytes(8, "little") + text + data)


def _precision(name: str, algorithm: str | None, dtype: str) -> Precision:
    if algorithm == "FP8":
        return "fp8"
    if algorithm is None and dtype == "float16":
        return "fp16"
    raise ValueError(f"{name} is {algorithm} and dtype {dtype}: FP8 or float16 is what the engine is built for")


def _json(path: Path) -> dict[str, Any]:
    return json_files.load(dict[str, Any], path, "file of a TensorRT-LLM checkpoint", _EXPORT, raising=ArtifactError)


_EXPORT = "`python -m training quantize` exports a checkpoint of the shipped model."
