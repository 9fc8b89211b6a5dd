"""The models to quantize: the shipped student as it is served, and a random one of the paper's shape.

TensorRT-LLM's attention kernels for speculative decoding need 64 % (query heads / KV heads) == 0 on GPUs before Hopper.
SmolLM2-135M has 9 query heads for 3 KV heads; each KV head is read by three neighbouring query heads. Storing it
three times changes no output and costs only memory for keys and values.
"""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from querygist.artifact import fetch_base
from querygist.artifact.manifest import Manifest
from querygist.settings import Settings
from training.train.modeling import load_adapter, load_base


def shipped_student(service: Settings) -> Any:
    """Base and adapter of the manifest, merged, in float32. Raises ArtifactError."""
    manifest = Manifest.load(service.weights_dir)
    base = load_base(fetch_base(service))
    student = base if manifest.adapter is None else load_adapter(base, service.weights_dir).merge_and_unload()
    return student.eval()


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


def random_gpt2(seed: int) -> Any:
    """124 million random weights of GPT-2 with 12 layers of 768 (vocabulary 50,257, 1,024 positions); one a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GPT2LMHeadModel(GPT2Config()).eval()  # type: ignore[no-untyped-call]


def random_prompts(seed: int, *, count: int, shortest: int = 16, longest: int = 960) -> list[list[int]]:
    """`count` prompts of random ids, for a model that has no tokenizer, the longest first; lengths in tokens."""
    chance = torch.Generator().manual_seed(seed)
    lengths = torch.linspace(longest, shortest, count).int().tolist()
    return [torch.randint(GPT2Config().vocab_size, (length,), generator=chance).tolist() for length in lengths]


def write(model: Any, folder: Path) -> None:
    """A Hugging Face folder with the weights in float16: the engine's own format for all that is not quantized."""
    model.to(torch.float16).save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    if rope := config.get("rope_parameters"):
        # Its name in transformers 4, which would take the default of 10,000 without a word.
        config["rope_theta"] = rope["rope_theta"]
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a folder that `write` wrote."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return config
