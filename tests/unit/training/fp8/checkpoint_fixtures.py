"""Tiny checkpoints, written name by name as TensorRT-LLM wants them, without ModelOpt."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from training.fp8 import source_model
from training.fp8.e4m3 import encode, exact_scale
from training.fp8.expected import expected_config

Tensors = dict[str, torch.Tensor]


@dataclass
class Made:
    """A checkpoint, and the Hugging Face config it belongs to."""

    config: dict[str, Any]
    tensors: Tensors
    source: dict[str, Any]

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.config))
        save_file(self.tensors, folder / "rank0.safetensors")
        return folder


def tiny_llama() -> Any:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=60, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, rope_parameters={"rope_type": "default", "rope_theta": 500.0}, initializer_range=0.4,
        max_position_embeddings=64, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).half().float().eval()


def tiny_gpt2() -> Any:
    torch.manual_seed(4)
    config = GPT2Config(
        vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=64, initializer_range=0.4, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return model.half().float().eval()


def llama_checkpoint(folder: Path) -> Made:
    model = tiny_llama()
    tensors: Tensors = {
        "transformer.vocab_embedding.weight": model.model.embed_tokens.weight,
        "transformer.ln_f.weight": model.model.norm.weight,
        "lm_head.weight": model.lm_head.weight.clone(),
    }
    for number, layer in enumerate(model.model.layers):
        here, attention = f"transformer.layers.{number}", layer.self_attn
        qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        tensors |= quantized(f"{here}.attention.qkv", qkv, 0.01)
        tensors |= quantized(f"{here}.attention.dense", attention.o_proj.weight, 0.02)
        gate, up = layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight
        tensors |= quantized(f"{here}.mlp.fc", gate, 0.01, together=up)
        tensors |= quantized(f"{here}.mlp.gate", up, 0.01, together=gate)
        tensors |= quantized(f"{here}.mlp.proj", layer.mlp.down_proj.weight, 0.03)
        tensors |= cache_scales(here)
        tensors[f"{here}.input_layernorm.weight"] = layer.input_layernorm.weight
        tensors[f"{here}.post_layernorm.weight"] = layer.post_attention_layernorm.weight
    return _made(model, tensors, folder)


def gpt2_checkpoint(folder: Path) -> Made:
    model = tiny_gpt2()
    tensors: Tensors = {
        "transformer.vocab_embedding.weight": model.transformer.wte.weight,
        "transformer.position_embedding.weight": model.transformer.wpe.weight,
        "transformer.ln_f.weight": model.transformer.ln_f.weight,
        "transformer.ln_f.bias": model.transformer.ln_f.bias,
        "lm_head.weight": model.lm_head.weight.clone(),
    }
    for number, layer in enumerate(model.transformer.h):
        here = f"transformer.layers.{number}"
        linears = {
            "attention.qkv": layer.attn.c_attn,
            "attention.dense": layer.attn.c_proj,
            "mlp.fc": layer.mlp.c_fc,
            "mlp.proj": layer.mlp.c_proj,
        }
        for name, linear in linears.items():
            tensors |= quantized(f"{here}.{name}", linear.weight.T, 0.02)
            tensors[f"{here}.{name}.bias"] = linear.bias
        tensors |= cache_scales(here)
        for name, norm in (("input_layernorm", layer.ln_1), ("post_layernorm", layer.ln_2)):
            tensors |= {f"{here}.{name}.weight": norm.weight, f"{here}.{name}.bias": norm.bias}
    return _made(model, tensors, folder)


def quantized(name: str, weight: torch.Tensor, activation: float, together: torch.Tensor | None = None) -> Tensors:
    largest = max(one.detach().abs().max() for one in (weight, together) if one is not None)
    scale = exact_scale(largest)
    return {
        f"{name}.weight": encode(weight, scale),
        f"{name}.weights_scaling_factor": scale,
        f"{name}.activation_scaling_factor": torch.tensor([activation]),
    }


def cache_scales(layer: str) -> Tensors:
    return {f"{layer}.attention.{which}_cache_scaling_factor": torch.ones(1) for which in ("k", "v", "kv")}


def _made(model: Any, tensors: Tensors, folder: Path) -> Made:
    scales = {name for name in tensors if name.endswith("_factor")}
    stored = {
        name: (tensor if name in scales or tensor.dtype == torch.float8_e4m3fn else tensor.half()).detach().contiguous()
        for name, tensor in tensors.items()
    }
    source_model.write(model, folder)
    config = source_model.read_config(folder)
    return Made(expected_config(config), stored, config)
