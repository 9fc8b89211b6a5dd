"""KV heads of a Llama expanded to one for each query head: the same function, in the form that GPU kernels want.

TensorRT-LLM's attention kernels for speculative decoding need 64 % (query heads / KV heads) == 0 on GPUs before Hopper.
SmolLM2-135M has 9 query heads for 3 KV heads; each KV head is read by three neighbouring query heads. Storing it
three times changes no output and costs only memory for keys and values.
"""

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def expand_kv_heads(model: Any) -> Any:
    """A LlamaForCausalLM of the same numbers with as many KV heads as query heads; `model` stays as it is."""
    config = LlamaConfig(**model.config.to_dict() | {"num_key_value_heads": model.config.num_attention_heads})
    expanded = LlamaForCausalLM(config).to(model.dtype).eval()
    group = model.config.num_attention_heads // model.config.num_key_value_heads
    head = model.config.head_dim
    weights = {
        name: _repeat(tensor, group, head) if ".k_proj." in name or ".v_proj." in name else tensor
        for name, tensor in model.state_dict().items()
    }
    expanded.load_state_dict(weights)
    return expanded


def _repeat(rows: torch.Tensor, group: int, head: int) -> torch.Tensor:
    """Each head's rows `group` times, one after the other. `rows`: (KV heads x head size, ...), weight or bias."""
    heads = rows.reshape(-1, head, *rows.shape[1:])
    return heads.repeat_interleave(group, dim=0).reshape(-1, *rows.shape[1:])
