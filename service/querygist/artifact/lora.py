"""A LoRA adapter in peft's layout, as additions to the base model's tensors."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from querygist.artifact.manifest import AdapterEntry
from querygist.errors import ArtifactError

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
"""The linear layers of a Llama block, Hugging Face name to GGUF name: what a LoRA may touch."""

_NAME = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.((?:self_attn|mlp)\.\w+)\.lora_([AB])\.weight")
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "use_dora": (False,),
    "bias": ("none",),
    "fan_in_fan_out": (False,),
    "lora_bias": (False,),
    "modules_to_save": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
}
"""Options of peft's adapter_config.json that change the merge, with the only values it knows."""

_NATIVE = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}


@dataclass(frozen=True, slots=True)
class Lora:
    """Pairs (A, B) by the GGUF name of the tensor they are added to; the addition is scale * B @ A."""

    pairs: dict[str, tuple[Floats, Floats]]
    scale: float

    def delta(self, name: str) -> Floats | None:
        """Return the addition to one tensor, in Hugging Face's row order; None when there is none, or only zeros."""
        if name not in self.pairs:
            return None
        down, up = self.pairs[name]
        addition = up @ down * np.float32(self.scale)
        return addition if addition.any() else None


def read_tensors(path: Path) -> Iterator[tuple[str, Floats]]:
    """Yield names and values of a safetensors file as fp32.

    Raises ArtifactError for a file that is not safetensors, or for a tensor that is not bf16, f16, f32 or f64.
    """
    try:
        tensors = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read as safetensors ({error}). Export it again.") from error
    for name, tensor in tensors:
        dtype = tensor["dtype"]
        if dtype == "BF16":  # numpy has none; it is the upper half of an fp32
            values = (np.frombuffer(tensor["data"], "<u2").astype(np.uint32) << 16).view(np.float32)
        elif dtype in _NATIVE:
            values = np.frombuffer(tensor["data"], _NATIVE[dtype]).astype(np.float32)
        else:
            raise ArtifactError(f"{path}: tensor {name!r} is of type {dtype}; use bf16, f16 or f32.")
        yield name, values.reshape(tensor["shape"])


def load(weights_dir: Path, entry: AdapterEntry) -> Lora:
    """Read the adapter the manifest names. The caller has checked its hash.

    Raises ArtifactError, naming the tensor or option, for anything that the merge would have to leave out.
    """
    path = weights_dir / entry.file
    _check_config(weights_dir / "adapter_config.json", entry)
    halves: dict[str, dict[str, Floats]] = {}
    for name, tensor in read_tensors(path):
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in PROJECTIONS:
            raise ArtifactError(
                f"{path} holds the tensor {name!r}, which is no LoRA of a Llama linear layer. "
                f"Train adapters on {', '.join(sorted(PROJECTIONS))} only."
            )
        rank = tensor.shape[0 if match[3] == "A" else -1] if tensor.ndim == 2 else None
        if rank != entry.rank:
            raise ArtifactError(
                f"{path}: tensor {name!r} has the shape {tensor.shape}, "
                f"which does not fit the manifest's rank {entry.rank}."
            )
        halves.setdefault(f"blk.{match[1]}.{PROJECTIONS[match[2]]}.weight", {})[match[3]] = tensor
    for name, pair in halves.items():
        if len(pair) != len("AB"):
            raise ArtifactError(f"{path} has only lora_{next(iter(pair))} for {name}; both A and B are needed.")
    return Lora({name: (pair["A"], pair["B"]) for name, pair in halves.items()}, entry.scale)


def _check_config(path: Path, entry: AdapterEntry) -> None:
    """The hashed manifest rules; peft's own file, where it lies beside the adapter, must agree with it."""
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Restore it or delete it.") from error
    expected: dict[str, tuple[Any, ...]] = {
        "r": (entry.rank,),
        "lora_alpha": (entry.alpha,),
        "use_rslora": (entry.rslora,),
        **_UNSUPPORTED,
    }
    for option, allowed in expected.items():
        if option in config and config[option] not in allowed:
            raise ArtifactError(
                f"{path} says {option} = {config[option]!r}, where the manifest and the merge need {allowed[0]!r}. "
                "Export the adapter again so that both agree."
            )
