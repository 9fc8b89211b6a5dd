"""One OpenVINO GenAI pipeline: how it is built, and how a request is put to it."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino
import openvino_genai as genai
from numpy.typing import NDArray

from querygist.engines.openvino.options import EngineOptions

NO_END = 2**31 - 1
"""An end id that no vocabulary has: OpenVINO GenAI must be given one."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding parameters of one request; always greedy.

    `end_id` None: only the length ends it. `candidates` 0 decodes one token a pass. The end id cannot come before
    `min_tokens`. A stop sequence ends the output and stays in it, as in TensorRT-LLM.
    """

    max_new_tokens: int
    end_id: int | None
    candidates: int
    min_tokens: int = 0
    stop_sequences: tuple[tuple[int, ...], ...] = ()


class DecodingPipeline:
    """One pipeline and the request ids it may use. It drafts for all its requests or for none."""

    def __init__(self, options: EngineOptions, *, drafting: bool) -> None:
        """Load the model; takes seconds. Raises RuntimeError from OpenVINO when it cannot."""
        self.drafting = drafting
        self._ngram = options.ngram
        self._pipeline = _pipeline(options, drafting=drafting)
        # Request ids are reused, because the pipeline keeps statistics for every id it has ever seen; the one freed
        # last is reused last, because a cancelled request stays in the pipeline until the next pass.
        self._free = deque(range(4 * options.max_batch))
        self._next = len(self._free)

    def add(self, prompt: NDArray[np.int64], decoding: Decoding) -> tuple[int, Any]:
        """Put a request to the pipeline: its slot and GenAI's handle. Raises what GenAI raises when it is refused."""
        slot = self._take_slot()
        try:
            handle = self._pipeline.add_request(
                slot, openvino.Tensor(prompt[np.newaxis, :].copy()), self._config(decoding)
            )
        except Exception:
            self.free(slot)
            raise
        return slot, handle

    def step(self) -> None:
        """One forward pass over the requests in flight; holds the GIL."""
        self._pipeline.step()

    def free(self, slot: int) -> None:
        """Give back the slot of a request that has ended."""
        self._free.append(slot)

    def _take_slot(self) -> int:
        if self._free:
            return self._free.popleft()
        self._next += 1
        return self._next - 1

    def _config(self, decoding: Decoding) -> genai.GenerationConfig:
        config = genai.GenerationConfig()
        config.max_new_tokens = decoding.max_new_tokens
        config.do_sample = False
        config.eos_token_id = NO_END if decoding.end_id is None else decoding.end_id
        config.stop_token_ids = {config.eos_token_id}
        if decoding.end_id is not None:
            config.min_new_tokens = decoding.min_tokens
        if self.drafting:
            config.num_assistant_tokens = decoding.candidates
            config.max_ngram_size = self._ngram
        return config


def _pipeline(options: EngineOptions, *, drafting: bool) -> genai.ContinuousBatchingPipeline:
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = options.kv_cache_gb
    scheduler.max_num_batched_tokens = options.pass_tokens
    scheduler.max_num_seqs = options.max_batch
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = options.prefix_caching
    properties: dict[str, object] = {}
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
    if drafting:
        properties["prompt_lookup"] = True
    if options.precision == "fp32":
        properties |= {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
    return genai.ContinuousBatchingPipeline(str(options.model), scheduler, "CPU", properties)
