"""Check that an exported checkpoint is the model it was made from: every field, every tensor, and its logits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from querygist.errors import ArtifactError
from training.fp8 import architecture as architectures
from training.fp8 import readback
from training.fp8.architecture import Architecture
from training.fp8.e4m3 import LARGEST
from training.fp8.expected import expected_config, expected_tensors
from training.fp8.float64 import in_float64

MOST_DIFFERENCE = 1e-6
"""Of float64 logits. One number that FP8 rounds otherwise in one layer moves them by 1e-3 and more."""

Tensors = Mapping[str, torch.Tensor]

_ABSENT = "nothing"


def check_config(config: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Compare TensorRT-LLM's `config` with Hugging Face's, `source`. Raises ArtifactError naming every wrong field."""
    expected = expected_config(source)
    wrong = [
        f"{field} is {config.get(field, _ABSENT)!r} and must be {expected.get(field, _ABSENT)!r}"
        for field in sorted(expected.keys() | config.keys())
        if config.get(field, _ABSENT) != expected.get(field, _ABSENT)
    ]
    if wrong:
        raise ArtifactError(f"The checkpoint's config.json is not that of the model: {'; '.join(wrong)}.")
    group = config["num_attention_heads"] // config["num_key_value_heads"]
    if 64 % group:
        raise ArtifactError(
            f"{group} query heads share a KV head; lookahead kernels need a divisor of 64. Expand them."
        )


def check_tensors(tensors: Tensors, source: Mapping[str, Any]) -> None:
    """Names, shapes, types and scales. Raises ArtifactError naming the first tensor that is wrong."""
    expected = expected_tensors(source)
    if differing := sorted(expected.keys() ^ tensors.keys()):
        raise ArtifactError(f"The checkpoint's tensors are not those of the model; only one has {differing[0]}.")
    for name, (shape, dtype) in expected.items():
        found = tensors[name]
        if (tuple(found.shape), found.dtype) != (shape, dtype):
            raise ArtifactError(f"{name} is {found.dtype}{list(found.shape)} and must be {dtype}{list(shape)}.")
        if not found.float().isfinite().all():
            raise ArtifactError(f"{name} holds what is not a number.")
        if name.endswith("cache_scaling_factor") and found.item() != 1:
            raise ArtifactError(f"{name} is {found.item()} and must be 1, as which it was simulated.")
        if name.endswith("_scaling_factor") and not found.item() > 0:
            raise ArtifactError(f"{name} is {found.item()}: a scale is positive.")
    _check_ranges(tensors, architectures.of(source))


def _check_ranges(tensors: Tensors, this: Architecture) -> None:
    """A scale is that of the largest weight, which is stored as the largest number then."""
    for name in (name for name in tensors if name.endswith(".weights_scaling_factor")):
        linear = name.removesuffix(".weights_scaling_factor")
        layer, own = ".".join(linear.split(".")[:3]), ".".join(linear.split(".")[3:])
        together = this.one_scale if own in this.one_scale else (own,)
        if any(not torch.equal(tensors[name], tensors[f"{layer}.{one}.weights_scaling_factor"]) for one in together):
            raise ArtifactError(f"{name} must be that of {' and '.join(together)}, which engines run as one layer.")
        largest = max(tensors[f"{layer}.{one}.weight"].float().abs().max().item() for one in together)
        if largest != LARGEST:
            raise ArtifactError(f"{linear}.weight reaches {largest:g} and must reach {LARGEST:g}: its scale is wrong.")


def check_hugging_face(exported: Tensors, tensors: Tensors, source: Mapping[str, Any]) -> None:
    """Check that the Hugging Face export equals the checkpoint. Raises ArtifactError naming what does not."""
    this = architectures.of(source)
    expected = {f"{theirs}.weight": tensors[f"{ours}.weight"] for ours, theirs in this.top.items()}
    if source["tie_word_embeddings"]:
        del expected["lm_head.weight"]
    for number in range(source["num_hidden_layers"]):
        ours, theirs = f"transformer.layers.{number}", f"{this.layers}.{number}"
        expected |= {f"{theirs}.{other}.weight": tensors[f"{ours}.{one}.weight"] for one, other in this.norms.items()}
        for one, others in this.linears.items():
            parts = tensors[f"{ours}.{one}.weight"].chunk(len(others))  # of equal height: KV heads are expanded
            for other, part in zip(others, parts, strict=True):
                expected[f"{theirs}.{other}.weight"] = part
                expected[f"{theirs}.{other}.weight_scale"] = tensors[f"{ours}.{one}.weights_scaling_factor"][0]
                expected[f"{theirs}.{other}.input_scale"] = tensors[f"{ours}.{one}.activation_scaling_factor"][0]
        for kind in "kv":
            scale = tensors[f"{ours}.attention.{kind}_cache_scaling_factor"][0]
            expected[f"{theirs}.{this.attention}.{kind}_proj.{kind}_scale"] = scale
    if differing := sorted(expected.keys() ^ exported.keys()):
        raise ArtifactError(f"The Hugging Face export and the checkpoint differ: only one has {differing[0]}.")
    for name, tensor in expected.items():
        if exported[name].dtype != tensor.dtype or not torch.equal(exported[name].float(), tensor.float()):
            raise ArtifactError(f"{name} of the Hugging Face export is not what the checkpoint holds.")


@torch.inference_mode()
def check_logits(checkpoint: Path, reference: Tensors) -> float:
    """The largest difference between ModelOpt's simulated logits and those of the checkpoint read back, both float64.

    Raises ArtifactError when it is above MOST_DIFFERENCE.
    """
    differences = []
    with in_float64(readback.load(checkpoint)) as model:
        for name, ids in reference.items():
            if name.startswith("ids_"):
                expected = reference[name.replace("ids_", "logits_")]
                found = model(ids[None], use_cache=False, logits_to_keep=len(expected)).logits[0]
                differences.append((found - expected).abs().max())
    largest = torch.stack(differences).max().item()  # NaN if one of them is
    if not largest <= MOST_DIFFERENCE:
        raise ArtifactError(
            f"The checkpoint in {checkpoint}, read back, gives logits that differ by {largest:g} from ModelOpt's; "
            f"{MOST_DIFFERENCE:g} is allowed."
        )
    return largest


def check(folder: Path, source: Mapping[str, Any]) -> float:
    """All of this on what ModelOpt's step left in `folder`; returns what `check_logits` does. Raises ArtifactError."""
    checkpoint = folder / "trtllm"
    tensors = load_file(checkpoint / readback.WEIGHTS)
    check_config(readback.read_config(checkpoint), source)
    check_tensors(tensors, source)
    if (folder / "hf").exists():
        check_hugging_face(load_file(folder / "hf" / "model.safetensors"), tensors, source)
    return check_logits(checkpoint, load_file(folder / "reference.safetensors"))
