"""Requests to the CPU model as its `asks` sees them: numpy arrays with a batch dimension."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from querygist.engines.lookahead import Lookahead
from querygist.triton_backend.inputs import Ask, Limits, asks

SERVER = Lookahead(4, 6, 4)
LIMITS = Limits(prompt=896, sequence=1152, vocabulary=1000)


REFUSED = {
    "encoder_input_features", "encoder_output_lengths", "draft_input_ids", "decoder_input_ids", "decoder_input_lengths",
    "draft_logits", "draft_acceptance_threshold", "bad_words_list", "embedding_bias", "prompt_embedding_table",
    "prompt_table_extra_ids", "prompt_vocab_size", "cross_attention_mask", "mrope_rotary_cos_sin",
    "mrope_position_deltas", "lora_task_id", "lora_weights", "lora_config", "context_phase_params",
    "skip_cross_attn_blocks", "retention_token_range_starts", "retention_token_range_ends",
    "retention_token_range_priorities", "retention_token_range_durations_ms", "retention_decode_priority",
    "retention_decode_duration_ms", "guided_decoding_guide_type", "guided_decoding_guide",
}  # fmt: skip
"""What TensorRT-LLM may honour and the CPU model never can."""

LOUD: dict[str, tuple[Any, ...]] = {
    "beam_width": (2,),
    "num_return_sequences": (2,),
    "runtime_top_k": (2, 50),
    "repetition_penalty": (1.1,),
    "presence_penalty": (0.5,),
    "frequency_penalty": (-0.5,),
    "return_log_probs": (True,),
    "return_context_logits": (True,),
    "return_generation_logits": (True,),
}
"""Values that ask for what the CPU model does not do."""


def request(**inputs: NDArray[Any] | int | float | bool) -> dict[str, NDArray[Any]]:
    """The smallest legal request, `inputs` on top; scalars as Triton hands them over, of shape [batch]."""
    return {
        name: value if isinstance(value, np.ndarray) else np.asarray([value])
        for name, value in {"input_ids": np.asarray([[5, 6, 7]]), "request_output_len": 10, **inputs}.items()
    }


def read(tensors: Mapping[str, NDArray[Any]], exclude_input: bool = True) -> list[Ask]:
    return list(asks(tensors, lookahead=SERVER, limits=LIMITS, exclude_input=exclude_input))


def ask(**inputs: NDArray[Any] | int | float | bool) -> Ask:
    [one] = read(request(**inputs))
    return one
