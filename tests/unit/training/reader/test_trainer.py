"""The training loop of the reader on a tiny BERT."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from querygist.errors import ConfigurationError
from tests.unit.reader.fixtures import encoder
from tests.unit.training.reader.fixtures import some_examples, tiny_bert, tiny_reader
from training.config import ReaderConfig
from training.reader import losses
from training.reader.model import Reader, collate
from training.reader.similarity import Similarity
from training.reader.trainer import ReaderTrainer

pytestmark = pytest.mark.training

STEPS = 12
CONFIG = ReaderConfig(batch_size=4, learning_rate=3e-3, head_learning_rate=1e-2, average_decay=0.5)


def trainer(folder: Path, steps: int = STEPS, seed: int = 1, config: ReaderConfig = CONFIG) -> ReaderTrainer:
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=False)
    made_from = {"seed": str(seed)}
    return ReaderTrainer(tiny_reader(), config, folder, seed=seed, steps=steps, autocast=autocast, made_from=made_from)


@pytest.fixture(scope="module")
def similarity() -> Similarity:
    made = Similarity(tiny_bert(), encoder(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=False))
    made.add(text for example in some_examples(16) for text in (example.query, *example.texts))
    return made


class Interrupted(Exception):
    pass


def interrupt_after(steps: int) -> Callable[[], None]:
    left = [steps]

    def check() -> None:
        left[0] -= 1
        if not left[0]:
            raise Interrupted

    return check


def test_resumed_run_ends_with_the_same_weights(
    tmp_path: Path, similarity: Similarity, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = some_examples(16)
    whole = trainer(tmp_path / "whole").run(examples, similarity)
    broken = trainer(tmp_path / "broken")
    check, train = interrupt_after(6), broken._train
    monkeypatch.setattr(broken, "_train", lambda *batch: (check(), train(*batch))[1])
    with pytest.raises(Interrupted):
        broken.run(examples, similarity)
    broken.save()
    resumed = trainer(tmp_path / "broken").run(examples, similarity)
    one, other = load_file(whole), load_file(resumed)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def listwise(model: Reader) -> float:
    batch = collate(some_examples(16))
    with torch.no_grad():
        return float(losses.listwise(model(batch).units, batch.answers))


def test_reader_learns_which_units_answer(tmp_path: Path, similarity: Similarity) -> None:
    model = tiny_reader()
    before = listwise(model)
    model.load_state_dict(load_file(trainer(tmp_path, steps=120).run(some_examples(16), similarity)))
    assert listwise(model) < 0.7 * before
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 120
    assert lines[-1]["learning_rate"] < lines[0]["learning_rate"]


def test_word_vectors_stay_as_they_were(tmp_path: Path, similarity: Similarity) -> None:
    name = "encoder.embeddings.word_embeddings.weight"
    found = load_file(trainer(tmp_path).run(some_examples(16), similarity))
    assert torch.allclose(found[name], tiny_reader().state_dict()[name])
    assert not torch.equal(found["page_head.weight"], tiny_reader().state_dict()["page_head.weight"])


def test_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path, seed=1)
    with pytest.raises(ConfigurationError, match="seed"):
        trainer(tmp_path, seed=2)


def test_weights_are_interpolated_with_the_start(tmp_path: Path, similarity: Similarity) -> None:
    examples, start = some_examples(16), tiny_reader().state_dict()
    learnt = load_file(trainer(tmp_path / "learnt").run(examples, similarity))
    mixed_config = CONFIG.model_copy(update={"start_share": 0.25})
    mixed = load_file(trainer(tmp_path / "mixed", config=mixed_config).run(examples, similarity))
    assert not torch.equal(learnt["page_head.weight"], start["page_head.weight"])
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * learnt[name] + 0.25 * start[name])
