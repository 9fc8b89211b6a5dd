"""Llama tensors under their two names, and the order of rows in q and k that differs between the two worlds.

Hugging Face rotates the two halves of a head against each other; GGUF (llama.cpp) rotates neighbouring rows. So q and k
rows are permuted on the way (llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute).
"""

import logging
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from querygist.errors import ArtifactError

# gguf tells about every file it writes, at the level of our own messages.
logging.getLogger("gguf.gguf_writer").setLevel(logging.WARNING)

Floats = npt.NDArray[np.float32]

PROJECTIONS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""The linear layers of a block, Hugging Face name to GGUF name: what a LoRA may touch."""

NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
"""The other tensors of a block."""

TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
"""Tensors outside the blocks."""


def permute(rows: Floats, heads: int) -> Floats:
    """Rows of a q or k projection, from Hugging Face's order to GGUF's. Any shape of (heads * head size, ...)."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def to_gguf_order(name: str, rows: Floats, *, heads: int, kv_heads: int) -> Floats:
    """`rows` of the GGUF tensor called `name` ("blk.3.attn_q.weight"), permuted when it is a q or k projection."""
    kind = name.split(".")[-2]
    if kind == "attn_q":
        return permute(rows, heads)
    if kind == "attn_k":
        return permute(rows, kv_heads)
    return rows


def dequantized(tensor: Any) -> Floats:
    """A `gguf.ReaderTensor` as fp32, in numpy's order of dimensions: (output features, input features).

    Raises ArtifactError for a quantization the gguf package cannot read.
    """
    shape = [int(size) for size in reversed(tensor.shape)]
    try:
        values: Floats = gguf.dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError as error:
        raise ArtifactError(
            f"Tensor {tensor.name} of the base model is stored as {tensor.tensor_type.name}, which cannot be read. "
            "Use a GGUF in F16, Q8_0, Q4_0, Q4_1 or a K quantization."
        ) from error
    return values.astype(np.float32, copy=False).reshape(shape)


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
    """One metadata value of an open GGUF. Raises ArtifactError when it is not there."""
    found = opened.get_field(key)
    if found is None:
        raise ArtifactError(f"The GGUF has no {key}, which a Llama model needs. Fetch or export it again.")
    return found.contents()
