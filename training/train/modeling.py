"""The student in torch: the base model of the manifest, and LoRA on every linear layer, or all its weights."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from querygist.errors import ConfigurationError
from training.config import StudentConfig


def arithmetic(recipe: StudentConfig) -> torch.autocast:
    """What the model is run under: matrix products in bfloat16 where the recipe wants them."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bfloat16)


def load_base(gguf: Path) -> Any:
    """The base model in float32, from its GGUF file."""
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.config.use_cache = False
    return model


def begin(base: Any, recipe: StudentConfig, adapter: Path | None = None) -> Any:
    """The model to train: LoRA on every linear layer but the last (Hu et al., 2021), or all weights with `recipe.full`.

    From `adapter` on, if there is one. Raises ConfigurationError when it has another rank.
    """
    if recipe.full:
        return base if adapter is None else load_adapter(base, adapter).merge_and_unload()
    if adapter is None:
        return with_lora(base, rank=recipe.rank, alpha=recipe.alpha, dropout=recipe.dropout)
    model = load_adapter(base, adapter, trainable=True)
    found = model.peft_config["default"].r
    if found != recipe.rank:
        raise ConfigurationError(
            f"{adapter} has rank {found}, and student.rank is {recipe.rank}: a run goes on with the rank it began with."
        )
    return model


def with_lora(model: Any, *, rank: int, alpha: int, dropout: float) -> PeftModel:
    """The model frozen, and low-rank adapters to train."""
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", bias="none")
    )


def load_adapter(base: Any, adapter: Path, *, trainable: bool = False) -> PeftModel:
    """The base with a saved adapter on it, in float32."""
    return PeftModel.from_pretrained(base, adapter, is_trainable=trainable, torch_dtype=torch.float32)


def trained(model: Any) -> dict[str, torch.Tensor]:
    """The tensors that training changes."""
    learnt = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name in learnt}


def save(model: Any, folder: Path) -> None:
    """An adapter as `querygist model build` merges it, in 16 bits; of a fully trained model, a Hugging Face folder."""
    if isinstance(model, PeftModel):
        weights = {name: tensor.to(torch.float16) for name, tensor in model.state_dict().items() if "lora_" in name}
        model.peft_config["default"].base_model_name_or_path = None  # where it lay here says nothing elsewhere
        model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    else:
        model.save_pretrained(folder, safe_serialization=True)
