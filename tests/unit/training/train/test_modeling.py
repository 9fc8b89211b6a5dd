"""Students of which every weight is trained, from a GGUF file to a folder and back."""

from pathlib import Path

import pytest
import torch

from querygist.errors import ConfigurationError
from tests.unit.artifact import tiny
from tests.unit.training.train.test_trainer import some, trainer
from training.config import StudentConfig
from training.train import modeling

FULL = StudentConfig(full_finetune=True)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return tiny.write_gguf(tmp_path / "base.gguf")


def test_a_full_finetune_of_a_gguf_model_is_saved_and_loads(gguf: Path, tmp_path: Path) -> None:
    model = modeling.trainable_model(modeling.load_base(gguf), FULL)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folder = trainer(model, tmp_path / "run", max_steps=1, eval_steps=1).run(some(4), lambda *_: {"score": 1.0})
    model.eval()
    assert all(not torch.equal(value, before[name]) for name, value in model.state_dict().items()), "all are trained"
    assert not modeling.is_adapter(folder)
    ids = torch.tensor([[5, 9, 7, 30]])
    again = modeling.load_stage(None, folder).eval()
    assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)
    assert modeling.trainable_model(None, FULL, folder) is not None, "a later stage goes on from it"
    with pytest.raises(ConfigurationError, match=r"Set student\.full_finetune, too"):
        modeling.trainable_model(None, StudentConfig(), folder)
