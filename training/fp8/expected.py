"""A TensorRT-LLM 1.2.1 checkpoint as it must be for a Hugging Face model: every config field, every tensor.

The reader's side is PretrainedConfig, LLaMAConfig and GPTConfig of TensorRT-LLM (tensorrt_llm/models/modeling_utils.py,
models/llama/config.py, models/gpt/config.py): what they take from a Hugging Face config is what stands here. Fields
they do not know are ModelOpt's own.

ModelOpt asks TensorRT-LLM for some fields if it can be imported, and guesses if not. `repair` mends the guesses that
are known, and nothing else: another value is something new, which the check then names.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from querygist.files import replacing
from training.fp8 import architecture as architectures

MODELOPT = "0.37.0"

ABSENT = object()
"""Stands for a field that ModelOpt leaves out."""

GUESSES: Mapping[str, Mapping[str, Any]] = {
    "llama": {
        "logits_dtype": "float16",  # logits rounded to steps of 1/64: ties, and other greedy outputs
        "rotary_scaling": ABSENT,  # none is the default: said all the same
    },
    "gpt2": {
        "logits_dtype": "float16",
        "rotary_scaling": ABSENT,
        "position_embedding_type": "rope_gpt_neox",  # rotary positions instead of learned ones: fluent nonsense
        "hidden_act": "gelu",  # the name's first part only
        "gpt_variant": ABSENT,  # this and those below: the default today
        "q_scaling": ABSENT,
        "apply_query_key_layer_scaling": ABSENT,
    },
}
"""By `model_type`, the wrong values that ModelOpt 0.37.0 writes."""

Expected = dict[str, tuple[tuple[int, ...], torch.dtype]]

_SCALES = ("attention.kv_cache_scaling_factor", "attention.k_cache_scaling_factor", "attention.v_cache_scaling_factor")


def expected_config(source: Mapping[str, Any]) -> dict[str, Any]:
    """The whole config.json for the Hugging Face config `source`: one rank, FP8 weights, activations and KV cache."""
    this = architectures.of(source)
    specific = _llama(source) if source["model_type"] == "llama" else _gpt2(source)
    return {
        "decoder": this.decoder,
        **{ours: source[theirs] for ours, theirs in this.fields.items()},
        "producer": {"name": "modelopt", "version": MODELOPT},
        "architecture": source["architectures"][0],
        "dtype": "float16",
        # ModelOpt says float16, whose steps of 1/64 between 16 and 32 let greedy decoding meet ties.
        "logits_dtype": "float32",
        "use_parallel_embedding": True,
        "embedding_sharding_dim": 0,
        # Tied embeddings are written twice; the engine builder finds that they are equal.
        "share_embedding_table": False,
        "residual_mlp": False,
        "rotary_pct": 1.0,
        "rotary_scaling": None,
        "rank": 0,
        "lm_head_bias": False,
        "mapping": {"world_size": 1, "tp_size": 1, "pp_size": 1},
        "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]},
    } | specific


def _llama(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rmsnorm": True,
        "bias": False,
        "position_embedding_type": "rope_gpt_neox",
        "rotary_base": source["rope_theta"],
    }


def _gpt2(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "gpt_variant": "gpt2",
        "head_size": source["n_embd"] // source["n_head"],
        "intermediate_size": source["n_inner"] or 4 * source["n_embd"],
        "rmsnorm": False,
        "bias": True,
        "position_embedding_type": "learned_absolute",
        "q_scaling": 1.0,
        "apply_query_key_layer_scaling": False,
    }


def repair(checkpoint: Path, source: Mapping[str, Any]) -> list[str]:
    """Mend config.json in the folder `checkpoint` for the Hugging Face config `source`; the names of mended fields."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_bytes())
    expected = expected_config(source)
    guesses = GUESSES[source["model_type"]].items()
    mended = [field for field, guess in guesses if config.get(field, ABSENT) == guess]
    config |= {field: expected[field] for field in mended}
    with replacing(path) as partial:
        partial.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return mended


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
    """Return the tensors that are not quantized."""
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
