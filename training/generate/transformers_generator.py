"""Any causal language model that transformers loads: the student in torch, or a larger teacher that reads ChatML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
from querygist.pipeline.summarizer import token_limit
from querygist.prompting.detokenizer import Assembler
from querygist.prompting.tokenizer import Tokenizer
from training.data.example_io import Example, prompt_ids
from training.export.weights_folder import ADAPTER_FILE
from training.generate.generator import GREEDY, Generated, Sampling
from training.stable_random import draw
from training.train.modeling import load_adapter, load_base

END = "<|im_end|>"
POOL_BATCHES = 8
"""Examples are sorted by length within pools of so many batches; a pool is written before its first is given."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """`place` of the example in its pool, and its token ids."""

    place: int
    example: Example
    ids: list[int]


class TransformersGenerator:
    """Prompts as the service builds them, `rows` at once, on a GPU when there is one."""

    def __init__(self, model: Any, tokenizer: Tokenizer, identity: Identity, *, name: str, rows: int = 8) -> None:
        """Of `identity` are used: prompt version, token limits and end id."""
        self.name = name
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        # A folder's own defaults (Qwen's top_k, repetition penalty) would change what greedy and a temperature mean.
        self._model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        self._tokenizer = tokenizer
        self._identity = identity
        self._rows = rows

    @classmethod
    def load(cls, folder: Path | None, adapter: Path | None, *, prompt_version: str, rows: int = 8) -> Self:
        """The model of a Hugging Face folder, or the manifest's base model; with a peft adapter, if there is one.

        Raises ConfigurationError when the folder holds no model, or one whose vocabulary has no ChatML.
        """
        chosen = settings.load()
        manifest = Manifest.load(chosen.weights_dir)
        identity = replace(manifest.identity(chosen.precision), prompt_version=prompt_version)
        tokenizer_file, name = chosen.weights_dir / manifest.tokenizer.file, manifest.name
        if folder is not None:
            tokenizer_file, name = folder / "tokenizer.json", folder.name
        try:
            tokenizer = Tokenizer(tokenizer_file)
            model = load_base(fetch_base(chosen)) if folder is None else _load(folder)
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
        return cls(model, tokenizer, replace(identity, end_id=end_id), name=f"{name} in transformers", rows=rows)

    def generate(self, examples: Sequence[Example], sampling: Sampling = GREEDY) -> Iterator[list[Generated]]:
        """See `Generator.generate`. A sample depends on the seed and on the examples it is in a batch with."""
        pool = self._rows * POOL_BATCHES
        for start in range(0, len(examples), pool):
            prompts = [
                _Prompt(place, example, self._ids(example))
                for place, example in enumerate(examples[start : start + pool])
            ]
            alike = sorted(prompts, key=lambda prompt: len(prompt.ids))
            written: dict[int, list[Generated]] = {}
            for begin in range(0, len(alike), self._rows):
                batch = alike[begin : begin + self._rows]
                written |= zip((prompt.place for prompt in batch), self._batch(batch, sampling), strict=True)
            yield from (written[place] for place in range(len(prompts)))

    def close(self) -> None:
        """Nothing runs between two calls."""

    def _ids(self, example: Example) -> list[int]:
        return prompt_ids(example, self._tokenizer, self._identity)

    def _limit(self, example: Example) -> int:
        return token_limit(example.max_words, self._identity.output_limit)

    @torch.inference_mode()
    def _batch(self, batch: Sequence[_Prompt], sampling: Sampling) -> list[list[Generated]]:
        """Padded on the left, so that every row goes on where its prompt ends."""
        count = sampling.count if sampling.temperature else 1
        width, end_id = max(len(prompt.ids) for prompt in batch), self._identity.end_id
        ids = torch.full((len(batch), width), end_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(batch):
            ids[row, width - len(prompt.ids) :] = torch.tensor(prompt.ids)
            mask[row, width - len(prompt.ids) :] = 1
        chance = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0} if sampling.temperature else {}
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max(self._limit(prompt.example) for prompt in batch),
            num_return_sequences=count,
            eos_token_id=end_id,
            pad_token_id=end_id,
            use_cache=True,
            **chance,
        )
        device = self._model.device
        with torch.random.fork_rng():
            names = (prompt.example.id for prompt in batch)
            torch.manual_seed(int(draw(sampling.seed, "sample", *names) * (1 << 31)))
            whole = self._model.generate(ids.to(device), attention_mask=mask.to(device), generation_config=config)
        new = whole[:, width:].tolist()
        return [
            [self._written(prompt.example, one) for one in new[row * count : (row + 1) * count]]
            for row, prompt in enumerate(batch)
        ]

    def _written(self, example: Example, ids: list[int]) -> Generated:
        """`ids` are padded with end ids, and may go on beyond this example's own limit."""
        ids, end_id = ids[: self._limit(example)], self._identity.end_id
        ended = end_id in ids
        kept = ids[: ids.index(end_id)] if ended else ids
        assembler = Assembler.answering(self._identity.prompt_version, self._tokenizer, max_words=example.max_words)
        assembler.push(kept)
        final = assembler.finish("stop" if ended else "length")
        return Generated(final.text, final.answerable, tokens=len(kept) + ended, passes=len(kept) + ended)


def _load(folder: Path) -> Any:
    """In the folder's own number format, from this disk only."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
