"""Base GGUF + LoRA -> GGUF, in numpy, tensor by tensor: no torch, and no more memory than the largest tensor needs.

Hugging Face rotates the two halves of a head against each other; GGUF (llama.cpp) rotates neighbouring rows. So the
rows of an addition to q or k are permuted on the way (llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute).
"""

import logging
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from querygist.artifact.lora import Floats, Lora
from querygist.errors import ArtifactError
from querygist.settings import Precision

# gguf tells about every file it writes, at the level of our own messages.
logging.getLogger("gguf.gguf_writer").setLevel(logging.WARNING)

Type = gguf.GGMLQuantizationType

STORED_AS: dict[Precision, Any] = {"int8": Type.Q8_0, "fp32": Type.F16}
"""Storage of matrices. OpenVINO GenAI's GGUF reader refuses F32, so "fp32" computes in fp32 over weights rounded to
F16 (a relative 2^-11, far below the 4-bit steps of the shipped base)."""

_FILE_TYPE = {
    Type.Q8_0: gguf.LlamaFileType.MOSTLY_Q8_0,
    Type.F16: gguf.LlamaFileType.MOSTLY_F16,
    Type.F32: gguf.LlamaFileType.ALL_F32,
}


def reader(path: Any) -> Any:
    """Open a GGUF. Raises ArtifactError when it cannot be read or is not a model this project can serve."""
    try:
        opened = gguf.GGUFReader(str(path))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ArtifactError(f"{path} cannot be read as GGUF ({error}). Fetch or export it again.") from error
    architecture = field(opened, "general.architecture")
    if architecture != "llama":
        raise ArtifactError(f"{path} is a {architecture!r} model; only the Llama architecture can be served.")
    if any(tensor.name == "rope_freqs.weight" for tensor in opened.tensors):
        raise ArtifactError(f"{path} scales its rotary positions (Llama 3.1), which the engine's GGUF reader ignores.")
    return opened


def field(opened: Any, key: str) -> Any:
    """Return one metadata value of an open GGUF. Raises ArtifactError when it is not there."""
    value = opened.get_field(key)
    if value is None:
        raise ArtifactError(f"The GGUF has no {key}, which a Llama model needs. Fetch or export it again.")
    return value.contents()


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a `gguf.ReaderTensor` in numpy's order of dimensions: (output features, input features)."""
    return tuple(int(size) for size in reversed(tensor.shape))


def merge(base: Any, lora: Lora | None, target: Path, stored_as: Any) -> None:
    """Write `base` (an open reader) plus `lora` to `target`: matrices F32, F16 or Q8_0 (`stored_as`), vectors F32.

    Raises ArtifactError, naming the tensor, when the adapter does not fit the base or a tensor cannot be stored so.
    """
    if lora is not None:
        _check_fit(base, lora)
    heads = {
        "attn_q": int(field(base, "llama.attention.head_count")),
        "attn_k": int(field(base, "llama.attention.head_count_kv")),
    }
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
            values = _dequantize(tensor)
            if delta is not None:
                projection = tensor.name.split(".")[-2]
                values = values + (permute(delta, heads[projection]) if projection in heads else delta)
            writer.write_tensor_data(gguf.quantize(values, _type_of(tensor, stored_as)))
    finally:
        writer.close()


def _check_fit(base: Any, lora: Lora) -> None:
    shapes = {tensor.name: shape_of(tensor) for tensor in base.tensors}
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
    type_, shape = _type_of(tensor, stored_as), shape_of(tensor)
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
    for key, entry in base.fields.items():
        if key.startswith("GGUF.") or key == gguf.Keys.General.ARCHITECTURE:
            continue  # the writer writes its own
        value = int(_FILE_TYPE[stored_as]) if key == gguf.Keys.General.FILE_TYPE else entry.contents()
        is_array = entry.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(key, value, entry.types[0], entry.types[-1] if is_array else None)


def permute(rows: Floats, heads: int) -> Floats:
    """Return rows of a q or k projection, (heads * head size, ...), in GGUF's order; they are in Hugging Face's."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _dequantize(tensor: Any) -> Floats:
    """Return the values as fp32. Raises ArtifactError for a quantization the gguf package cannot read."""
    try:
        values: Floats = gguf.dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError as error:
        raise ArtifactError(
            f"Tensor {tensor.name} of the base model is stored as {tensor.tensor_type.name}, which cannot be read. "
            "Use a GGUF in F16, Q8_0, Q4_0, Q4_1 or a K quantization."
        ) from error
    return values.astype(np.float32, copy=False).reshape(shape_of(tensor))
