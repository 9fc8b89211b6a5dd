"""Batches of a tiny Llama against a plain loop, one row at a time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.pipeline.generation import token_limit
from querygist.prompting.detokenizer import Detokenizer
from querygist.prompting.templates import LABEL
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import WEIGHTS
from training.data.examples import Example, prompt_ids
from training.generate.generator import Generated, Sampling
from training.generate.transformers_generator import TransformersGenerator
from training.train.modeling import save, with_lora

EXAMPLES = [
    Example(str(i), "s", "who wrote it", "Anna wrote it. " * (1 + 5 * i % 7), "", 5 + 3 * i, "positive", derived=False)
    for i in range(7)
]


def tiny(seed: int, vocabulary_size: int, end_id: int) -> Any:
    """Its random weights are large, so that what it says depends on all of the prompt."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary_size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, initializer_range=0.3, eos_token_id=end_id,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def make(tokenizer: Tokenizer, identity: Identity) -> Callable[..., TransformersGenerator]:
    def making(model: Any, **changes: Any) -> TransformersGenerator:
        return TransformersGenerator(model, tokenizer, replace(identity, **changes), name="tiny", batch_size=3)

    return making


@torch.inference_mode()
def plain(model: Any, tokenizer: Tokenizer, identity: Identity, example: Example) -> Generated:
    """Greedy, without a cache, a batch or padding."""
    ids = prompt_ids(example, tokenizer, identity)
    new: list[int] = []
    while len(new) < token_limit(example.max_words, identity.output_limit):
        new.append(int(model(torch.tensor([ids + new])).logits[0, -1].argmax()))
        if new[-1] == identity.end_id:
            break
    ended = new[-1] == identity.end_id
    detokenizer = Detokenizer(tokenizer, max_words=example.max_words)
    detokenizer.push(new[:-1] if ended else new)
    final = detokenizer.finish("stop" if ended else "length")
    return Generated(final.text, final.answerable, tokens=len(new), passes=len(new))


@pytest.mark.parametrize("seed", [0, 1])
def test_batches_are_a_plain_greedy_loop(
    make: Callable[..., TransformersGenerator], tokenizer: Tokenizer, identity: Identity, seed: int
) -> None:
    model = tiny(seed, identity.vocabulary_size, identity.end_id)
    said = [plain(model, tokenizer, identity, example) for example in EXAMPLES]
    written = list(make(model).generate(EXAMPLES))
    assert written == [[one] for one in said]
    assert len({one.tokens for one in said}) > 3, "rows of one batch must end at different places"


def test_a_row_ends_at_its_end_id(
    make: Callable[..., TransformersGenerator], tokenizer: Tokenizer, identity: Identity
) -> None:
    model = tiny(0, identity.vocabulary_size, identity.end_id)
    example = EXAMPLES[-1]
    ids = prompt_ids(example, tokenizer, identity)
    said: list[int] = []
    with torch.inference_mode():
        for _ in range(6):
            said.append(int(model(torch.tensor([ids + said])).logits[0, -1].argmax()))
    end = next(id_ for place, id_ in enumerate(said) if place and id_ not in said[:place])
    ended = replace(identity, end_id=end)
    [[written]] = make(model, end_id=end).generate([example])
    assert written == plain(model, tokenizer, ended, example)
    assert written.tokens == said.index(end) + 1 < token_limit(example.max_words, identity.output_limit)


def test_samples_differ_and_are_the_same_for_the_same_seed(
    make: Callable[..., TransformersGenerator], identity: Identity
) -> None:
    generator = make(tiny(0, identity.vocabulary_size, identity.end_id))
    before = torch.random.get_rng_state()
    first, again, other = (list(generator.generate(EXAMPLES, Sampling(3, 1.0, seed))) for seed in (1, 1, 2))
    assert first == again != other
    assert all(len(samples) == 3 for samples in first)
    assert all(len({one.text for one in samples}) > 1 for samples in first)
    assert torch.equal(before, torch.random.get_rng_state()), "a training run that validates must not change by it"


def test_a_low_temperature_is_nearly_greedy(make: Callable[..., TransformersGenerator], identity: Identity) -> None:
    generator = make(tiny(0, identity.vocabulary_size, identity.end_id))
    greedy = [one.text for [one] in generator.generate(EXAMPLES)]
    cold = [{one.text for one in samples} for samples in generator.generate(EXAMPLES, Sampling(2, 1e-6))]
    assert cold == [{text} for text in greedy]


def test_opening_and_label_are_no_text(
    make: Callable[..., TransformersGenerator], tokenizer: Tokenizer, identity: Identity
) -> None:
    generator = make(tiny(0, identity.vocabulary_size, identity.end_id))
    ids = [*tokenizer.encode_template(f"{LABEL}C"), *tokenizer.encode(" Owls hunt at night."), identity.end_id]
    written = generator._generated(EXAMPLES[0], ids)
    assert (written.text, written.answerable, written.tokens) == ("Owls hunt at night.", True, len(ids))


def test_a_folder_and_an_adapter(tmp_path: Path, tokenizer: Tokenizer, identity: Identity) -> None:
    model = tiny(0, identity.vocabulary_size, identity.end_id)
    model.generation_config.repetition_penalty = 5.0  # a folder's taste, which greedy is not asked for
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model/tokenizer.json").write_bytes((WEIGHTS / "tokenizer.json").read_bytes())
    v4 = replace(identity, prompt_version="v4")
    untuned = [plain(model, tokenizer, v4, one) for one in EXAMPLES]
    alone = TransformersGenerator.load(tmp_path / "model", None, prompt_version="v4")
    assert [one for [one] in alone.generate(EXAMPLES)] == untuned

    tuned = with_lora(model, rank=4, alpha=64, dropout=0).eval()
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_" in name:
                parameter.normal_().copy_(parameter.half())  # 16 bits are what is saved
    save(tuned, tmp_path / "adapter")
    both = TransformersGenerator.load(tmp_path / "model", tmp_path / "adapter", prompt_version="v4")
    changed = [one for [one] in both.generate(EXAMPLES)]
    assert changed == [plain(tuned, tokenizer, v4, one) for one in EXAMPLES]
    assert changed != untuned
    assert both.name != alone.name
    assert "adapter" in both.name


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Cannot load"):
        TransformersGenerator.load(tmp_path, None, prompt_version="v4")


def test_a_vocabulary_without_chatml(tmp_path: Path, identity: Identity) -> None:
    tiny(0, identity.vocabulary_size, identity.end_id).save_pretrained(tmp_path)
    text = (WEIGHTS / "tokenizer.json").read_text().replace("<|im_end|>", "<|other|>")
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ConfigurationError, match="OpenAI-compatible"):
        TransformersGenerator.load(tmp_path, None, prompt_version="v4")
