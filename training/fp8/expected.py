"""What a TensorRT-LLM 1.2.1 checkpoint's config.json must say of a Hugging Face model, field by field.

The reader's side is PretrainedConfig, LLaMAConfig and GPTConfig of TensorRT-LLM (tensorrt_llm/models/modeling_utils.py,
models/llama/config.py, models/gpt/config.py): what they take from a Hugging Face config is what stands here. Fields
they do not know are ModelOpt's own.
"""

from collections.abc import Mapping
from typing import Any

MODELOPT = "0.37.0"


def expected_config(source: Mapping[str, Any]) -> dict[str, Any]:
    """The whole config.json for the Hugging Face config `source`: one rank, FP8 weights, activations and KV cache."""
    specific = _llama(source) if source["model_type"] == "llama" else _gpt2(source)
    return {
        "producer": {"name": "modelopt", "version": MODELOPT},
        "architecture": source["architectures"][0],
        "dtype": "float16",
        # ModelOpt says float16, whose steps of 1/64 between 16 and 32 let greedy decoding meet ties.
        "logits_dtype": "float32",
        "vocab_size": source["vocab_size"],
        "use_parallel_embedding": True,
        "embedding_sharding_dim": 0,
        # Tied embeddings are written twice; the engine builder finds that they are equal.
        "share_embedding_table": False,
        "residual_mlp": False,
        "rotary_pct": 1.0,
        "rotary_scaling": None,
        "rank": 0,
        "lm_head_bias": False,
        "mapping": {"world_size": 1, "tp_size": 1, "pp_size": 1},
        "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]},
    } | specific


def _llama(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "decoder": "llama",
        "num_hidden_layers": source["num_hidden_layers"],
        "num_attention_heads": source["num_attention_heads"],
        "num_key_value_heads": source["num_key_value_heads"],
        "hidden_size": source["hidden_size"],
        "head_size": source["head_dim"],
        "intermediate_size": source["intermediate_size"],
        "norm_epsilon": source["rms_norm_eps"],
        "rmsnorm": True,
        "max_position_embeddings": source["max_position_embeddings"],
        "hidden_act": source["hidden_act"],
        "bias": False,
        "position_embedding_type": "rope_gpt_neox",
        "rotary_base": source["rope_theta"],
    }


def _gpt2(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "decoder": "gpt",
        "gpt_variant": "gpt2",
        "num_hidden_layers": source["n_layer"],
        "num_attention_heads": source["n_head"],
        "num_key_value_heads": source["n_head"],
        "hidden_size": source["n_embd"],
        "head_size": source["n_embd"] // source["n_head"],
        "intermediate_size": source["n_inner"] or 4 * source["n_embd"],
        "norm_epsilon": source["layer_norm_epsilon"],
        "rmsnorm": False,
        "max_position_embeddings": source["n_positions"],
        "hidden_act": source["activation_function"],
        "bias": True,
        "position_embedding_type": "learned_absolute",
        "q_scaling": 1.0,
        "apply_query_key_layer_scaling": False,
    }
