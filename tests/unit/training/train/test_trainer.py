"""Batches and the training loop on a tiny Llama."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from querygist.artifact.lora import load
from querygist.artifact.manifest import AdapterEntry
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.files import sha256_of
from querygist.prompting.tokenizer import Tokenizer
from training.config import StudentConfig, TrainerConfig
from training.data.examples import Example
from training.train import batches
from training.train.batches import IGNORED
from training.train.device import autocast
from training.train.encoding import Encoded, encode
from training.train.modeling import trainable_model
from training.train.sft import likelihood
from training.train.trainer import Trainer, best_adapter

pytestmark = pytest.mark.training

PAD = 2
LORA = StudentConfig(lora_r=4, lora_alpha=8)
RECIPE = TrainerConfig(learning_rate=1e-2, warmup_steps=2, max_steps=6, batch_size=4, micro_batch_size=4, eval_steps=3)


def tiny(start: Path | None = None) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    return trainable_model(LlamaForCausalLM(config), LORA, start)


ids = st.lists(st.integers(3, 63), min_size=1, max_size=12).map(tuple)
examples = st.builds(Encoded, ids, ids)


def some(count: int) -> list[Encoded]:
    chance = torch.Generator().manual_seed(1)

    def draw(most: int) -> tuple[int, ...]:
        length = int(torch.randint(1, most, (1,), generator=chance))
        return tuple(torch.randint(3, 64, (length,), generator=chance).tolist())

    return [Encoded(draw(12), draw(6)) for _ in range(count)]


@given(st.lists(examples, min_size=1, max_size=40), st.integers(1, 8), st.integers(0, 3))
def test_epoch_has_each_example_once_and_follows_the_seed(found: list[Encoded], rows: int, seed: int) -> None:
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


def later_is_better(_: Any, adapter: Path) -> dict[str, float]:
    return {"score": float(adapter.name.removeprefix("adapter-"))}


def trainer(model: Any, folder: Path, **changes: Any) -> Trainer[Encoded]:
    recipe = RECIPE.model_copy(update=changes)
    return Trainer(model, likelihood(PAD), recipe, folder, seed=1, made_from={"recipe": str(changes)})


def trained(folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    model = tiny()
    trainer(model, folder, **changes).run(some(24), later_is_better)
    return adapter(model)


def test_small_micro_batches_change_memory_and_not_the_result(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "a"), trained(tmp_path / "b", micro_batch_size=1)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)


def test_bfloat16_learns_nearly_the_same(tmp_path: Path) -> None:
    model = tiny()
    Trainer(
        model,
        likelihood(PAD),
        RECIPE,
        tmp_path / "b",
        seed=1,
        autocast=autocast(torch.device("cpu"), StudentConfig(bf16=True)),
        made_from={"recipe": "bfloat16"},
    ).run(some(24), later_is_better)
    trained(tmp_path / "a")
    exact, rounded = (logged_losses(tmp_path / name) for name in "ab")
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.05)


def logged_losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    model = tiny()
    stopping = trainer(model, tmp_path / "stopped")
    train = stopping._train

    def until_step_4(found: list[Encoded]) -> dict[str, float]:
        if stopping._step == 4:
            raise Stopped
        return train(found)

    stopping._train = until_step_4  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        stopping.run(some(24), later_is_better)
    resumed, straight = trained(tmp_path / "stopped"), trained(tmp_path / "straight")
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value)


def test_it_learns_and_leaves_what_the_build_takes(tmp_path: Path) -> None:
    trained(tmp_path, max_steps=30, eval_steps=30)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert [line["step"] for line in lines if "score" in line] == [30]
    path = tmp_path / "adapter-30" / "adapter_model.safetensors"
    lora = load(path.parent, AdapterEntry(file=path.name, sha256=sha256_of(path), rank=4, alpha=8))
    assert len(lora.pairs) == 2 * 7, "every linear layer of both layers"
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_early_stopping_keeps_the_best_checkpoint(tmp_path: Path) -> None:
    scores = {2: 1.0, 4: 3.0, 6: 2.0, 8: 2.5}

    def validate(_: Any, adapter: Path) -> dict[str, float]:
        return {"score": scores[int(adapter.name.removeprefix("adapter-"))]}

    run = trainer(tiny(), tmp_path, max_steps=20, eval_steps=2, patience=2)
    assert best_adapter(tmp_path) is None
    assert run.run(some(24), validate) == best_adapter(tmp_path) == tmp_path / "adapter-4"

    def never(*_: Any) -> dict[str, float]:
        raise AssertionError("a run that is over is not run again")

    assert (
        trainer(tiny(), tmp_path, max_steps=20, eval_steps=2, patience=2).run(some(24), never) == tmp_path / "adapter-4"
    )


def test_stage_goes_on_from_the_adapter_of_the_one_before(tmp_path: Path) -> None:
    before = trained(tmp_path)
    model = tiny(tmp_path / "adapter-6")
    assert any(parameter.requires_grad for parameter in model.parameters())
    for name, value in adapter(model).items():
        torch.testing.assert_close(value, before[name], rtol=1e-3, atol=1e-4)  # saved in 16 bits
    with pytest.raises(ConfigurationError, match=r"has rank 4, and student\.lora_r is 2"):
        trainable_model(LlamaForCausalLM(model.config), StudentConfig(lora_r=2), tmp_path / "adapter-6")


def test_every_weight_can_be_trained(tmp_path: Path) -> None:
    model = LlamaForCausalLM(tiny().config)
    run = trainer(trainable_model(model, StudentConfig(full_finetune=True)), tmp_path, max_steps=3)
    run.run(some(24), later_is_better)
    saved = LlamaForCausalLM.from_pretrained(tmp_path / "adapter-3")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(saved.state_dict()[name], value)


def test_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    before = trained(tmp_path)
    with pytest.raises(ConfigurationError, match="begun with another recipe"):
        trainer(tiny(), tmp_path, learning_rate=0.5)
    assert adapter(tiny(tmp_path / "adapter-6")).keys() == before.keys()


def test_nothing_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no example"):
        trainer(tiny(), tmp_path).run([], later_is_better)


def test_an_example_is_what_the_service_would_send(tokenizer: Tokenizer, identity: Identity) -> None:
    example = Example("1", "s", "who", "Anna wrote it.", "Anna wrote it.", 10, "positive", derived=False)
    encoded = encode(example, tokenizer, identity)
    assert encoded.target[-1] == identity.end_id
    assert tokenizer.decode(encoded.target[2:]) == "Anna wrote it."
    assert "10 words" in tokenizer.decode(encoded.prompt)
