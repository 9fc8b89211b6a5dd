"""The student in torch: the base model of the manifest, and LoRA on every linear layer."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def load_base(gguf: Path) -> Any:
    """The base model in float32, from its GGUF file."""
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.config.use_cache = False
    return model


def with_lora(model: Any, *, rank: int, alpha: int, dropout: float) -> PeftModel:
    """Every linear layer but the last with a low-rank adapter (Hu et al., 2021); nothing else is trained."""
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", bias="none")
    )


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write adapter_model.safetensors and its configuration, in 16 bits: what `querygist model build` merges."""
    weights = {name: tensor.to(torch.float16) for name, tensor in model.state_dict().items() if "lora_" in name}
    model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
