"""Tensors of a safetensors file as fp32, one at a time. numpy has no bfloat16, so the bytes are read here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf.utility import SafetensorsLocal

from querygist.artifact.gguf_llama import Floats
from querygist.errors import ArtifactError

_NATIVE = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "F64": np.dtype("<f8")}


def read_tensors(path: Path) -> Iterator[tuple[str, Floats]]:
    """Names and values, ordered by name.

    Raises ArtifactError for a file that is not safetensors, or for a tensor that is not bf16, f16, f32 or f64.
    """
    try:
        tensors = SafetensorsLocal(path).tensors
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise ArtifactError(f"{path} cannot be read as safetensors ({error}). Export it again.") from error
    for name, tensor in tensors.items():
        try:
            raw = tensor.mmap_bytes()
            if tensor.dtype == "BF16":  # the upper half of an fp32
                values = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = raw.view(_NATIVE[tensor.dtype]).astype(np.float32)
            shaped: Floats = np.asarray(values.reshape(tensor.shape))
        except KeyError as error:
            raise ArtifactError(f"{path}: tensor {name!r} is of type {tensor.dtype}; use bf16, f16 or f32.") from error
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path} is cut or damaged at tensor {name!r} ({error}). Export it again.") from error
        yield name, shaped
