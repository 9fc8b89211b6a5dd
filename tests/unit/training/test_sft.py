"""Batches and fine-tuning on a tiny Llama: pytest tests/unit/training/test_sft.py"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from service.engines.base import Identity
from service.model.files import sha256_of
from service.model.lora import load
from service.model.manifest import AdapterEntry
from service.tokenization import Tokenizer
from training import batches, dataset
from training.batches import IGNORED, Encoded
from training.config import SftConfig
from training.sft import Trainer
from training.student import with_lora

PAD = 2
RECIPE = SftConfig(
    rank=4, alpha=8, dropout=0, learning_rate=1e-2, warm_up=2, steps=6, rows=4, micro_rows=4, every=3, validation_rows=4
)


def tiny() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    return with_lora(LlamaForCausalLM(config), rank=4, alpha=8, dropout=0)


ids = st.lists(st.integers(3, 63), min_size=1, max_size=12).map(tuple)
examples = st.builds(Encoded, ids, ids)


def some(count: int) -> list[Encoded]:
    chance = torch.Generator().manual_seed(1)

    def draw(most: int) -> tuple[int, ...]:
        length = int(torch.randint(1, most, (1,), generator=chance))
        return tuple(torch.randint(3, 64, (length,), generator=chance).tolist())

    return [Encoded(draw(12), draw(6)) for _ in range(count)]


@given(st.lists(examples, min_size=1, max_size=40), st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_has_every_example_once_and_is_the_same_for_the_same_seed(
    found: list[Encoded], rows: int, seed: int
) -> None:
    first, again = ([list(batch) for batch in batches.epoch(found, rows=rows, seed=seed)] for _ in "ab")
    assert first == again
    assert Counter(one for batch in first for one in batch) == Counter(found)
    assert all(len(batch) <= rows for batch in first)


@given(st.lists(examples, min_size=1, max_size=5))
def test_labels_are_the_targets_and_nothing_else(found: list[Encoded]) -> None:
    batch = batches.collate(found, PAD)
    for row, one in enumerate(found):
        learnt = batch.labels[row] != IGNORED
        assert tuple(batch.labels[row][learnt].tolist()) == one.target
        places = learnt.nonzero().flatten()
        assert batch.ids[row][places[1:]].tolist() == list(one.target[:-1]), "each label follows the id before it"
        assert int(batch.mask[row].sum()) == len(one)


def test_logits_at_the_targets_are_those_of_the_whole_model() -> None:
    model, batch = tiny(), batches.collate(some(5), PAD)
    logits, labels = batches.target_logits(model, batch)
    whole = model(input_ids=batch.ids, attention_mask=batch.mask).logits
    learnt = batch.labels != IGNORED
    torch.testing.assert_close(logits, whole[learnt])
    assert torch.equal(labels, batch.labels[learnt])


def adapter(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if "lora_" in name}


def trained(folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    model = tiny()
    Trainer(model, RECIPE.model_copy(update=changes), folder, seed=1, pad_id=PAD).run(some(24), some(4))
    return adapter(model)


def test_small_micro_batches_change_memory_and_not_the_result(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "a"), trained(tmp_path / "b", micro_rows=1)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    model = tiny()
    trainer = Trainer(model, RECIPE, tmp_path / "stopped", seed=1, pad_id=PAD)
    train = trainer._train

    def until_step_4(found: list[Encoded]) -> dict[str, float]:
        if trainer._step == 4:
            raise Stopped
        return train(found)

    trainer._train = until_step_4  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        trainer.run(some(24), some(4))
    resumed, straight = trained(tmp_path / "stopped"), trained(tmp_path / "straight")
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value)


def test_it_learns_and_leaves_what_the_build_takes(tmp_path: Path) -> None:
    trained(tmp_path, steps=30, every=30)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert [line["step"] for line in lines if "validation_loss" in line] == [30]
    path = tmp_path / "adapter-30" / "adapter_model.safetensors"
    lora = load(path.parent, AdapterEntry(file=path.name, sha256=sha256_of(path), rank=4, alpha=8))
    assert len(lora.pairs) == 2 * 7, "every linear layer of both layers"
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_an_example_is_what_the_service_would_send(tokenizer: Tokenizer, identity: Identity) -> None:
    example = dataset.Example("1", "s", "who", "Anna wrote it.", "Anna wrote it.", 10, "positive", derived=False)
    encoded = batches.encode(example, tokenizer, identity)
    assert encoded.target[-1] == identity.end_id
    assert tokenizer.decode(encoded.target) == "Anna wrote it."
    assert "about 10 words" in tokenizer.decode(encoded.prompt)
