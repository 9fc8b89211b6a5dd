"""Batches of the reader, and its scores."""

import numpy as np
import pytest
import torch

from tests.unit.training.reader.fixtures import some_examples, tiny_reader
from training.reader.model import collate

pytestmark = pytest.mark.training


def test_padding_changes_no_score() -> None:
    model, examples = tiny_reader().eval(), some_examples(6)
    with torch.no_grad():
        together, alone = model(collate(examples)), model(collate(examples[:1]))
    count = len(examples[0].places)
    for name in ("units", "similarities"):
        assert torch.allclose(getattr(together, name)[0, :count], getattr(alone, name)[0], atol=1e-5)
    assert torch.allclose(together.page[0], alone.page[0], atol=1e-5)


def test_similarities_stand_beside_their_units() -> None:
    examples = some_examples(3)
    batch = collate(examples, [np.arange(len(example.places), dtype=np.float32) for example in examples])
    assert batch.similarities[batch.there].tolist() == [n for e in examples for n in range(len(e.places))]
