"""Several random summaries for each example: OpenVINO GenAI on the built model, in this process.

The service itself only ever decodes greedily; a teacher and a preference pair need alternatives to choose from.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import openvino
import openvino_genai as genai

from querygist import artifact
from querygist.pipeline.summarizer import token_limit
from querygist.prompting.detokenizer import Assembler
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from training.data.example_io import Example, prompt_ids
from training.generate.generator import GREEDY, Generated, Sampling

ROWS = 8
"""Examples handed to the engine at once."""

TOP_P = 0.95
"""Nucleus sampling (Holtzman et al., 2020): the tail of an 8-bit model's distribution is noise."""


class OpenVinoSampler:
    """Samples from the model that `chosen` describes; greedy at temperature 0. Builds the model if need be."""

    def __init__(self, chosen: Settings, *, name: str) -> None:
        """Load the model; takes seconds. Raises ArtifactError."""
        self.name = name
        built = artifact.build(chosen)
        self._identity, self._tokenizer = built.identity, Tokenizer(built.tokenizer_path)
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = chosen.kv_cache_gb
        scheduler.max_num_batched_tokens = chosen.pass_tokens
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = True  # the samples of one example share their prompt
        self._pipeline = genai.ContinuousBatchingPipeline(str(built.path), scheduler, "CPU", {})

    def close(self) -> None:
        """Nothing runs between two calls."""

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. A sample depends on the seed, the example's place and the engine's version."""
        for start in range(0, len(examples), ROWS):
            some = examples[start : start + ROWS]
            prompts = [self._prompt(example) for example in some]
            configs = [self._config(example, sampling, start + row) for row, example in enumerate(some)]
            for example, result in zip(some, self._pipeline.generate(prompts, configs), strict=True):
                yield [self._written(example, list(ids)) for ids in result.m_generation_ids]

    def _prompt(self, example: Example) -> openvino.Tensor:
        prompt = prompt_ids(example, self._tokenizer, self._identity)
        return openvino.Tensor(np.array([prompt], dtype=np.int64))

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

    def _written(self, example: Example, ids: list[int]) -> Generated:
        ended = bool(ids) and ids[-1] == self._identity.end_id
        assembler = Assembler.answering(self._identity.prompt_version, self._tokenizer, max_words=example.max_words)
        assembler.push(ids[:-1] if ended else ids)
        final = assembler.finish("stop" if ended or len(ids) < self._limit(example) else "length")
        return Generated(final.text, final.answerable, tokens=len(ids))

    def _limit(self, example: Example) -> int:
        return token_limit(example.max_words, self._identity.output_limit)
