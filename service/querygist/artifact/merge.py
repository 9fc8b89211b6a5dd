"""Base GGUF + LoRA -> GGUF, in numpy, tensor by tensor: no torch, and no more memory than the largest tensor needs."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np

from querygist.artifact import gguf_llama
from querygist.artifact.lora import Lora
from querygist.artifact.manifest import Precision
from querygist.errors import ArtifactError

Type = gguf.GGMLQuantizationType

STORED_AS: dict[Precision, Any] = {"int8": Type.Q8_0, "fp32": Type.F16}
"""How matrices are stored. OpenVINO GenAI's GGUF reader refuses F32, so "fp32" computes in fp32 over weights rounded to
F16 (a relative 2^-11, far below the 4-bit steps of the shipped base)."""

_FILE_TYPE = {
    Type.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
    Type.F16: gguf.LlamaFileType.MOSTLY_F16,
    Type.F32: gguf.LlamaFileType.ALL_F32,
}


def merge(base: Any, lora: Lora | None, target: Path, stored_as: Any) -> None:
    """Write `base` (an open reader) plus `lora` to `target`: matrices F32, F16 or Q8_0 as told, vectors always F32.

    Raises ArtifactError, naming the tensor, when the adapter does not fit the base or a tensor cannot be stored so.
    """
    if lora is not None:
        _check_fit(base, lora)
    heads = int(gguf_llama.field(base, "llama.attention.head_count"))
    kv_heads = int(gguf_llama.field(base, "llama.attention.head_count_kv"))
    writer = gguf.GGUFWriter(target, "llama")
    try:
        _copy_metadata(base, writer, stored_as)
        for tensor in base.tensors:
            _announce(writer, tensor, stored_as)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in base.tensors:
            delta = lora.delta(tensor.name) if lora is not None else None
            if delta is None and tensor.tensor_type == _type_of(tensor, stored_as):
                writer.write_tensor_data(np.asarray(tensor.data))  # the very bytes
                continue
            values = gguf_llama.dequantized(tensor)
            if delta is not None:
                values = values + gguf_llama.to_gguf_order(tensor.name, delta, heads=heads, kv_heads=kv_heads)
            writer.write_tensor_data(gguf.quantize(values, _type_of(tensor, stored_as)))
    finally:
        writer.close()


def _check_fit(base: Any, lora: Lora) -> None:
    shapes = {tensor.name: tuple(int(size) for size in reversed(tensor.shape)) for tensor in base.tensors}
    for name, (down, up) in lora.pairs.items():
        expected = (up.shape[0], down.shape[1])
        if shapes.get(name) != expected:
            raise ArtifactError(
                f"The adapter adds a matrix of shape {expected} to {name}, and the base model has "
                f"{shapes.get(name, 'no such tensor')}. The adapter was trained on another base."
            )


def _type_of(tensor: Any, stored_as: Any) -> Any:
    return stored_as if len(tensor.shape) > 1 else Type.F32


def _announce(writer: Any, tensor: Any, stored_as: Any) -> None:
    """Tell the writer a tensor's shape and size, so that its bytes can follow later, one tensor at a time."""
    type_ = _type_of(tensor, stored_as)
    shape = [int(size) for size in reversed(tensor.shape)]
    block, block_bytes = gguf.GGML_QUANT_SIZES[type_]
    if shape[-1] % block:
        raise ArtifactError(
            f"Tensor {tensor.name} has rows of {shape[-1]} values, which {type_.name} (blocks of {block}) cannot hold. "
            "Build this base with QUERYGIST_PRECISION=fp32."
        )
    size = int(np.prod(shape)) // block * block_bytes
    # A float type of the right shape: with raw_dtype given, the writer takes the shape as it stands.
    writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), size, raw_dtype=type_)


def _copy_metadata(base: Any, writer: Any, stored_as: Any) -> None:
    for key, field in base.fields.items():
        if key.startswith("GGUF.") or key == gguf.Keys.General.ARCHITECTURE:
            continue  # the writer writes its own
        value = int(_FILE_TYPE[stored_as]) if key == gguf.Keys.General.FILE_TYPE else field.contents()
        is_array = field.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(key, value, field.types[0], field.types[-1] if is_array else None)
