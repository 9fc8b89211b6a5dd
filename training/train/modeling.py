"""The student in torch: the base model of the manifest, and LoRA on every linear layer, or all its weights."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from querygist.errors import ConfigurationError
from training.config import StudentConfig
from training.export.weights_folder import ADAPTER_CONFIG


def load_base(gguf: Path) -> Any:
    """Return the base model in float32, from its GGUF file."""
    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.config.use_cache = False
    # The weights are dequantized; transformers would refuse to save what it still takes for a quantized model.
    model.hf_quantizer = None
    del model.config.quantization_config
    return model


def load_folder(folder: Path) -> Any:
    """Return the model of a Hugging Face folder, in float32."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def load_adapter(base: Any, adapter: Path, *, trainable: bool = False) -> PeftModel:
    """Return the base with a saved adapter on it, in float32."""
    return PeftModel.from_pretrained(base, adapter, is_trainable=trainable, torch_dtype=torch.float32)


def load_stage(base: Any, folder: Path) -> Any:
    """Return what a stage saved in `folder`: the base with an adapter, or a model of which every weight was trained."""
    return load_adapter(base, folder) if is_adapter(folder) else load_folder(folder)


def is_adapter(folder: Path) -> bool:
    """Return whether a stage saved an adapter in `folder`, and not a whole model."""
    return (folder / ADAPTER_CONFIG).exists()


def trainable_model(base: Any, student: StudentConfig, start: Path | None = None) -> Any:
    """Return the model to train: LoRA on every linear layer but the last (Hu et al., 2021), or all weights.

    `start`: what an earlier stage saved, to go on from. Raises ConfigurationError when that has another rank, or is no
    adapter and `student.full_finetune` is not set.
    """
    if student.full_finetune:
        model = base if start is None else load_stage(base, start)
        return model.merge_and_unload() if isinstance(model, PeftModel) else model
    if start is None:
        return with_lora(base, rank=student.lora_r, alpha=student.lora_alpha, dropout=student.lora_dropout)
    if not is_adapter(start):
        raise ConfigurationError(f"{start} is no adapter: every weight was trained. Set student.full_finetune, too.")
    model = load_adapter(base, start, trainable=True)
    rank = getattr(model.peft_config["default"], "r", None)
    if rank != student.lora_r:
        raise ConfigurationError(
            f"{start} has rank {rank}, and student.lora_r is {student.lora_r}: a run goes on with the rank it began "
            "with."
        )
    return model


def with_lora(model: Any, *, rank: int, alpha: int, dropout: float) -> PeftModel:
    """Return the model frozen, and low-rank adapters to train."""
    return get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", bias="none")
    )


def trainable_state(model: Any) -> dict[str, torch.Tensor]:
    """Return the tensors that training changes, by name."""
    learnt = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name in learnt}


def save(model: Any, folder: Path) -> None:
    """Save an adapter as `querygist model build` merges it, in 16 bits; a fully trained model as it is."""
    if isinstance(model, PeftModel):
        weights = {name: tensor.to(torch.float16) for name, tensor in model.state_dict().items() if "lora_" in name}
        model.peft_config["default"].base_model_name_or_path = None  # where it lay here says nothing elsewhere
        model.save_pretrained(str(folder), state_dict=weights, safe_serialization=True)
    else:
        model.save_pretrained(folder, safe_serialization=True)
