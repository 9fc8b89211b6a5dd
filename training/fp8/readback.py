"""A TensorRT-LLM checkpoint as a model in torch that computes what an engine would: the check, and the quality, in FP8.

Everything is read from the checkpoint alone, so that a wrong field or scale gives other logits. Simulated is what FP8
rounds: the inputs of linear layers, keys and values. Not simulated: 16-bit arithmetic between them, and the queries
and probabilities that `--use_fp8_context_fmha` rounds as well.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AttentionInterface, AutoModelForCausalLM, GPT2Config, LlamaConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from querygist.errors import ArtifactError
from training.fp8.architecture import ARCHITECTURES, Architecture
from training.fp8.e4m3 import decode, rounded

CONFIG, WEIGHTS = "config.json", "rank0.safetensors"

_ATTENTION = "sdpa_e4m3_kv"

Tensors = Mapping[str, torch.Tensor]


def load(checkpoint: Path) -> Any:
    """The model of the folder `checkpoint` in float32, FP8 simulated. Raises ArtifactError when there is none."""
    config = read_config(checkpoint)
    tensors = load_file(checkpoint / WEIGHTS)
    architecture = next(one for one in ARCHITECTURES.values() if one.decoder == config["decoder"])
    AttentionInterface.register(_ATTENTION, _attend)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
    model = _empty(architecture, config)
    weights = dict(_top(architecture, tensors)) | dict(_layers(architecture, tensors, model))
    model.load_state_dict(weights)
    _simulate(model, architecture, tensors)
    return model.eval()


def read_config(checkpoint: Path) -> dict[str, Any]:
    """config.json of the folder `checkpoint`. Raises ArtifactError when there is none."""
    try:
        config: dict[str, Any] = json.loads((checkpoint / CONFIG).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{checkpoint} holds no TensorRT-LLM checkpoint ({error}): `python -m training quantize`."
        ) from error
    return config


def _empty(architecture: Architecture, config: Mapping[str, Any]) -> Any:
    """A model of the checkpoint's configuration, its weights not set."""
    fields = {theirs: config[ours] for ours, theirs in architecture.fields.items()}
    fields["tie_word_embeddings"] = config["share_embedding_table"]
    found: LlamaConfig | GPT2Config
    if config["decoder"] == "llama":
        rope = {"rope_type": "default", "rope_theta": config["rotary_base"]}
        found = LlamaConfig(**fields, rope_parameters=rope)
    else:
        found = GPT2Config(**fields, n_inner=config["intermediate_size"], bos_token_id=None, eos_token_id=None)
    return AutoModelForCausalLM.from_config(found, attn_implementation=_ATTENTION)  # type: ignore[no-untyped-call]


def _top(architecture: Architecture, tensors: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    for ours, theirs in architecture.top.items():
        for kind in ("weight", "bias"):
            if (tensor := tensors.get(f"{ours}.{kind}")) is not None:
                yield f"{theirs}.{kind}", tensor.float()


def _layers(architecture: Architecture, tensors: Tensors, model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for number, layer in enumerate(model.get_submodule(architecture.layers)):
        ours, theirs = f"transformer.layers.{number}", f"{architecture.layers}.{number}"
        for one, other in architecture.norms.items():
            for kind in ("weight", "bias"):
                if (tensor := tensors.get(f"{ours}.{one}.{kind}")) is not None:
                    yield f"{theirs}.{other}.{kind}", tensor.float()
        for one, others in architecture.linears.items():
            merged = decode(tensors[f"{ours}.{one}.weight"], tensors[f"{ours}.{one}.weights_scaling_factor"])
            if architecture.transposed:
                yield f"{theirs}.{others[0]}.weight", merged.T.contiguous()
            else:
                heights = [layer.get_submodule(other).weight.shape[0] for other in others]
                for other, part in zip(others, torch.split(merged, heights), strict=True):
                    yield f"{theirs}.{other}.weight", part
            if (bias := tensors.get(f"{ours}.{one}.bias")) is not None:
                yield f"{theirs}.{others[0]}.bias", bias.float()


def _simulate(model: Any, architecture: Architecture, tensors: Tensors) -> None:
    for number, layer in enumerate(model.get_submodule(architecture.layers)):
        ours = f"transformer.layers.{number}"
        layer.get_submodule(architecture.attention).kv_scale = tensors[f"{ours}.attention.kv_cache_scaling_factor"]
        for one, others in architecture.linears.items():
            scale = tensors[f"{ours}.{one}.activation_scaling_factor"]
            for other in others:
                layer.get_submodule(other).register_forward_pre_hook(partial(_round_input, scale))


def _round_input(scale: torch.Tensor, _: Any, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """Round a layer's input to FP8, as a hook."""
    return (rounded(inputs[0], scale.to(inputs[0].device)),)


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """Attention over a cache of FP8.

    The newest keys and values, as many as there are queries, are rounded where they lie: in the cache, if there is one,
    so that what is in it already need not be rounded to itself in every pass.
    """
    scale = module.kv_scale.to(key.device)
    for stored in (key, value):
        newest = stored[..., -query.shape[-2] :, :]
        newest.copy_(rounded(newest, scale))
    return sdpa_attention_forward(module, query, key, value, *args, **kwargs)
