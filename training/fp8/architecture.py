"""One model's tensors under their two names: TensorRT-LLM's checkpoint and Hugging Face's modules.

TensorRT-LLM's names are those of its LLaMAForCausalLM and GPTForCausalLM (tensorrt_llm/models/{llama,gpt}/model.py);
of a gated MLP, `fc` is what the activation is applied to, and `gate` what its result is multiplied with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from querygist.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Architecture:
    """`decoder`: ModelOpt's name. `linears`, `norms`: of a layer, TensorRT-LLM's name to Hugging Face's; a linear layer
    there may be several here, one below the other. `top`: the same outside of layers; `fields`: of config.json.
    `attention`: the module of a layer that holds keys and values. `one_scale`: linears that engines may run as one.
    `transposed`: Hugging Face's weights are (input, output), as those of GPT-2's Conv1D.
    """

    decoder: str
    layers: str
    attention: str
    linears: Mapping[str, tuple[str, ...]]
    norms: Mapping[str, str]
    top: Mapping[str, str]
    fields: Mapping[str, str]
    one_scale: tuple[str, ...]
    transposed: bool


ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        decoder="llama",
        layers="model.layers",
        attention="self_attn",
        linears={
            "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "attention.dense": ("self_attn.o_proj",),
            "mlp.fc": ("mlp.gate_proj",),
            "mlp.gate": ("mlp.up_proj",),
            "mlp.proj": ("mlp.down_proj",),
        },
        norms={"input_layernorm": "input_layernorm", "post_layernorm": "post_attention_layernorm"},
        top={
            "transformer.vocab_embedding": "model.embed_tokens",
            "transformer.ln_f": "model.norm",
            "lm_head": "lm_head",
        },
        fields={
            "vocab_size": "vocab_size",
            "hidden_size": "hidden_size",
            "intermediate_size": "intermediate_size",
            "num_hidden_layers": "num_hidden_layers",
            "num_attention_heads": "num_attention_heads",
            "num_key_value_heads": "num_key_value_heads",
            "head_size": "head_dim",
            "hidden_act": "hidden_act",
            "max_position_embeddings": "max_position_embeddings",
            "norm_epsilon": "rms_norm_eps",
        },
        one_scale=("mlp.fc", "mlp.gate"),
        transposed=False,
    ),
    "gpt2": Architecture(
        decoder="gpt",
        layers="transformer.h",
        attention="attn",
        linears={
            "attention.qkv": ("attn.c_attn",),
            "attention.dense": ("attn.c_proj",),
            "mlp.fc": ("mlp.c_fc",),
            "mlp.proj": ("mlp.c_proj",),
        },
        norms={"input_layernorm": "ln_1", "post_layernorm": "ln_2"},
        top={
            "transformer.vocab_embedding": "transformer.wte",
            "transformer.position_embedding": "transformer.wpe",
            "transformer.ln_f": "transformer.ln_f",
            "lm_head": "lm_head",
        },
        fields={
            "vocab_size": "vocab_size",
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "num_key_value_heads": "n_head",
            "hidden_act": "activation_function",
            "max_position_embeddings": "n_positions",
            "norm_epsilon": "layer_norm_epsilon",
        },
        one_scale=(),
        transposed=True,
    ),
}
"""By `model_type` of Hugging Face's config."""


def of(config: Mapping[str, Any]) -> Architecture:
    """The architecture of a Hugging Face config. Raises ArtifactError for one that is not exported."""
    found = ARCHITECTURES.get(config["model_type"])
    if found is None:
        raise ArtifactError(
            f"Models of type {config['model_type']!r} are not exported to FP8, only {', '.join(ARCHITECTURES)}."
        )
    return found
