"""The tensors that a checkpoint must have: names, shapes and types, from the Hugging Face model's own shapes."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from training.fp8 import architecture as architectures

Expected = dict[str, tuple[tuple[int, ...], torch.dtype]]

_SCALES = ("attention.kv_cache_scaling_factor", "attention.k_cache_scaling_factor", "attention.v_cache_scaling_factor")


def expected_tensors(source: Mapping[str, Any]) -> Expected:
    """By TensorRT-LLM's name, for the Hugging Face config `source`."""
    this = architectures.of(source)
    with torch.device("meta"):  # shapes without numbers
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**source))  # type: ignore[no-untyped-call]
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found: Expected = {}
    for ours, theirs in this.top.items():
        found |= _plain(ours, theirs, shapes)
    for number in range(len(model.get_submodule(this.layers))):
        ours, theirs = f"transformer.layers.{number}", f"{this.layers}.{number}"
        for one, other in this.norms.items():
            found |= _plain(f"{ours}.{one}", f"{theirs}.{other}", shapes)
        for one, others in this.linears.items():
            names = [f"{theirs}.{other}" for other in others]
            found |= _linear(f"{ours}.{one}", names, shapes, transposed=this.transposed)
        found |= {f"{ours}.{name}": ((1,), torch.float32) for name in _SCALES}
    return found


def _plain(ours: str, theirs: str, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, Any]]:
    """What is not quantized."""
    for kind in ("weight", "bias"):
        if shape := shapes.get(f"{theirs}.{kind}"):
            yield f"{ours}.{kind}", (shape, torch.float16)


def _linear(
    ours: str, names: list[str], shapes: Mapping[str, tuple[int, ...]], *, transposed: bool
) -> Iterator[tuple[str, Any]]:
    """A quantized layer: the layers `names`, one below the other."""
    sizes = [shapes[f"{name}.weight"][:: -1 if transposed else 1] for name in names]
    height = sum(rows for rows, _ in sizes)
    yield f"{ours}.weight", ((height, sizes[0][1]), torch.float8_e4m3fn)
    if f"{names[0]}.bias" in shapes:
        yield f"{ours}.bias", ((height,), torch.float16)
    for kind in ("weights", "activation"):
        yield f"{ours}.{kind}_scaling_factor", ((1,), torch.float32)
