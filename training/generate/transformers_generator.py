"""Any causal language model that transformers loads: the student in torch, or a larger teacher that reads ChatML."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from querygist import settings
from querygist.artifact import fetch_base
from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.pipeline.generation import completion_of, token_limit
from querygist.prompting.tokenizer import Tokenizer
from training.data.examples import Example, prompt_ids
from training.export.weights_folder import ADAPTER_FILE
from training.generate.generator import GREEDY, Generated, Sampling
from training.stable_random import draw
from training.train.device import choose_device
from training.train.modeling import load_adapter, load_base

END = "<|im_end|>"
POOL_BATCHES = 8
"""Examples are sorted by length within pools of so many batches; a pool is written before its first is given."""


_Prompt = tuple[Example, list[int]]
"""An example, and the token ids of its prompt."""


class TransformersGenerator:
    """Prompts as the service builds them, `batch_size` at once."""

    def __init__(
        self,
        model: Any,
        tokenizer: Tokenizer,
        identity: Identity,
        *,
        name: str,
        device: torch.device | None = None,
        batch_size: int = 8,
    ) -> None:
        """Of `identity` are used: prompt version, token limits and end id."""
        self.name = name
        self._model = model.to(device or choose_device("auto")).eval()
        # A folder's own defaults (Qwen's top_k, repetition penalty) would change what greedy and a temperature mean.
        self._model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        self._tokenizer = tokenizer
        self._identity = identity
        self._batch_size = batch_size

    @classmethod
    def load(
        cls,
        folder: Path | None,
        adapter: Path | None,
        *,
        prompt_version: str,
        device: torch.device | None = None,
        batch_size: int = 8,
    ) -> Self:
        """The model of a Hugging Face folder, or the manifest's base model; with a peft adapter, if there is one.

        Raises ConfigurationError when the folder holds no model, or one whose vocabulary has no ChatML.
        """
        service = settings.load()
        manifest = Manifest.load(service.weights_dir)
        identity = replace(manifest.identity(service.precision), prompt_version=prompt_version)
        tokenizer_file, name = service.weights_dir / manifest.tokenizer.file, manifest.name
        if folder is not None:
            tokenizer_file, name = folder / "tokenizer.json", folder.name
        try:
            tokenizer = Tokenizer(tokenizer_file)
            model = (
                load_base(fetch_base(service))
                if folder is None
                else AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
            )
            if adapter is not None:
                model = load_adapter(model, adapter).merge_and_unload()
                name += f" + {adapter.name} ({sha256_of(adapter / ADAPTER_FILE)[:12]})"
        except ConfigurationError:
            raise
        except Exception as error:  # the libraries raise nearly anything, the tokenizer's a bare Exception
            raise ConfigurationError(f"Cannot load {folder or name} with transformers: {error}") from error
        end_id = tokenizer.id_of(END)
        if end_id is None:
            raise ConfigurationError(
                f"The vocabulary of {folder} has no {END}: the service's prompts are ChatML. Serve this model behind "
                "an OpenAI-compatible endpoint (vLLM, llama.cpp) and let that generator ask it."
            )
        identity, name = replace(identity, end_id=end_id), f"{name} in transformers"
        return cls(model, tokenizer, identity, name=name, device=device, batch_size=batch_size)

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. A sample depends on the seed and on the examples it is in a batch with."""
        pool = self._batch_size * POOL_BATCHES
        for start in range(0, len(examples), pool):
            some = examples[start : start + pool]
            prompts = [(one, prompt_ids(one, self._tokenizer, self._identity)) for one in some]
            order = sorted(range(len(prompts)), key=lambda place: len(prompts[place][1]))
            generated: dict[int, list[Generated]] = {}
            for begin in range(0, len(order), self._batch_size):
                batch = order[begin : begin + self._batch_size]
                generated |= zip(batch, self._batch([prompts[place] for place in batch], sampling), strict=True)
            yield from (generated[place] for place in range(len(prompts)))

    def close(self) -> None:
        """Nothing runs between two calls."""

    @torch.inference_mode()
    def _batch(self, batch: Sequence[_Prompt], sampling: Sampling) -> list[list[Generated]]:
        """Padded on the left, so that every row goes on where its prompt ends."""
        count = sampling.count if sampling.temperature else 1
        width, end_id = max(len(prompt) for _, prompt in batch), self._identity.end_id
        ids = torch.full((len(batch), width), end_id)
        mask = torch.zeros_like(ids)
        for row, (_, prompt) in enumerate(batch):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        chance = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0} if sampling.temperature else {}
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max(token_limit(example.max_words, self._identity.output_limit) for example, _ in batch),
            num_return_sequences=count,
            eos_token_id=end_id,
            pad_token_id=end_id,
            use_cache=True,
            **chance,
        )
        device = self._model.device
        with torch.random.fork_rng():
            names = (example.id for example, _ in batch)
            torch.manual_seed(int(draw(sampling.seed, "sample", *names) * (1 << 31)))
            whole = self._model.generate(ids.to(device), attention_mask=mask.to(device), generation_config=config)
        new = whole[:, width:].tolist()
        return [
            [self._generated(example, one) for one in new[row * count : (row + 1) * count]]
            for row, (example, _) in enumerate(batch)
        ]

    def _generated(self, example: Example, ids: Sequence[int]) -> Generated:
        """`ids` are padded with end ids, and may go on beyond this example's own limit."""
        completion = completion_of(ids, self._tokenizer, self._identity, max_words=example.max_words)
        return Generated.of(completion, passes=completion.passes)
