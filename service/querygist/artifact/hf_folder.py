"""A Hugging Face model folder: which files it needs, and the Llama configuration the engine can express."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from querygist.errors import ArtifactError

CONFIG, TOKENIZER, WEIGHTS, SHARDS = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "model.safetensors.index.json",
)

_DEFAULT_THETA = 10_000.0


class LlamaConfig(BaseModel):
    """What of config.json decides the conversion. Literal types are the values the engine's graph can express."""

    model_type: Literal["llama"]
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    max_position_embeddings: int
    vocab_size: int
    rms_norm_eps: float
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    mlp_bias: Literal[False] = False
    tie_word_embeddings: bool = False
    eos_token_id: int | list[int]
    bos_token_id: int | None = None
    rope_theta: float | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] = Field(default_factory=dict)

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def end_id(self) -> int:
        """The id that ends a text; of several, the last, which in chat models ends a turn."""
        return self.eos_token_id if isinstance(self.eos_token_id, int) else self.eos_token_id[-1]

    @property
    def theta(self) -> float:
        """Base of the rotary frequencies; its name and place changed with transformers 5."""
        return float(self.rope_parameters.get("rope_theta") or self.rope_theta or _DEFAULT_THETA)

    @property
    def rope_type(self) -> str:
        """How rotary positions are scaled."""
        rope = self.rope_parameters or self.rope_scaling or {}
        return str(rope.get("rope_type") or rope.get("type") or "default")


def read_config(folder: Path) -> LlamaConfig:
    """Read config.json. Raises ArtifactError for anything but a plain Llama."""
    path = folder / CONFIG
    try:
        config = LlamaConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read: {error.strerror}. A Hugging Face model folder needs it."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ArtifactError(
            f"{path}: {'.'.join(map(str, first['loc']))} is {first['input']!r} ({first['msg']}). "
            "Only plain models of the Llama architecture can be served."
        ) from error
    if config.rope_type != "default":
        raise ArtifactError(
            f"{path}: rotary positions of type {config.rope_type!r} are not supported, only the default."
        )
    if config.head_dim not in {None, config.hidden_size // config.num_attention_heads}:
        raise ArtifactError(f"{path}: head_dim {config.head_dim} is not hidden_size / num_attention_heads.")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The folder's safetensors files. Raises ArtifactError, naming the first that is missing."""
    names = [WEIGHTS]
    if (folder / SHARDS).is_file():
        try:
            names = sorted(set(json.loads((folder / SHARDS).read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ArtifactError(f"{folder / SHARDS} is not a safetensors index ({error}).") from error
    for name in (*names, CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise ArtifactError(
                f"{folder} has no {name}. A Hugging Face model folder needs it (safetensors, not .bin)."
            )
    return [folder / name for name in names]
