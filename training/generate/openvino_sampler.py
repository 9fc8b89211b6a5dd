"""Several random summaries for each example: OpenVINO GenAI on the built model, in this process.

The service itself only ever decodes greedily; a teacher and a preference pair need alternatives to choose from.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import openvino
import openvino_genai as genai

from querygist import artifact
from querygist.pipeline.generation import completion_of, token_limit
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from training.data.examples import Example, prompt_ids
from training.generate.generator import GREEDY, Generated, Sampling

ROWS = 8
"""Examples handed to the engine at once."""

TOP_P = 0.95
"""Nucleus sampling (Holtzman et al., 2020): the tail of an 8-bit model's distribution is noise."""


class OpenVinoSampler:
    """Samples from the model that `settings` describe; greedy at temperature 0. Builds the model if need be."""

    def __init__(self, settings: Settings, *, name: str) -> None:
        """Load the model; takes seconds. Raises ArtifactError."""
        self.name = name
        built = artifact.build(settings)
        self._identity, self._tokenizer = built.identity, Tokenizer(built.tokenizer_path)
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = settings.kv_cache_gb
        scheduler.max_num_batched_tokens = settings.pass_tokens
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = True  # the samples of one example share their prompt
        self._pipeline = genai.ContinuousBatchingPipeline(str(built.path), scheduler, "CPU", {})

    def close(self) -> None:
        """Nothing runs between two calls."""

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. A sample depends on the seed, the example's place and the engine's version."""
        for start in range(0, len(examples), ROWS):
            some = examples[start : start + ROWS]
            prompts = [
                openvino.Tensor(np.array([prompt_ids(one, self._tokenizer, self._identity)], dtype=np.int64))
                for one in some
            ]
            configs = [self._config(example, sampling, start + row) for row, example in enumerate(some)]
            for example, result in zip(some, self._pipeline.generate(prompts, configs), strict=True):
                yield [self._generated(example, list(ids)) for ids in result.m_generation_ids]

    def _config(self, example: Example, sampling: Sampling, row: int) -> genai.GenerationConfig:
        config = genai.GenerationConfig()
        config.max_new_tokens = token_limit(example.max_words, self._identity.output_limit)
        config.eos_token_id = self._identity.end_id
        config.stop_token_ids = {self._identity.end_id}
        if sampling.temperature:
            config.do_sample = True
            config.temperature = sampling.temperature
            config.top_p = TOP_P
            config.num_return_sequences = sampling.count
            config.rng_seed = sampling.seed + row
        return config

    def _generated(self, example: Example, ids: list[int]) -> Generated:
        # What stops before its limit has ended, whether the engine gives the end id or keeps it to itself.
        ids = [*ids, self._identity.end_id]
        return Generated.of(completion_of(ids, self._tokenizer, self._identity, max_words=example.max_words))
