"""Batches of the reader, and its scores."""

import numpy as np
import pytest
import torch

from tests.unit.training.reader.fixtures import encoder, some_examples, tiny_reader
from training.reader.examples import plain
from training.reader.mixture import Page
from training.reader.model import collate, segments_of
from training.reader.units import Unit

pytestmark = pytest.mark.training


def test_segments_leave_out_headings_and_control_tokens() -> None:
    units = [Unit("moon is", None, ("topics",)), Unit("sun", None, ("topics", "home menu"))]
    example = plain(Page("1", "s", "why hot", units, None), encoder())
    assert example is not None
    #  [CLS] why hot [SEP] topics moon is [SEP] home menu sun [SEP]
    assert segments_of(example).tolist() == [0, 1, 1, 0, 0, 2, 2, 0, 0, 0, 3, 0]


def test_padding_changes_no_score() -> None:
    model, examples = tiny_reader().eval(), some_examples(6)
    with torch.no_grad():
        together, alone = model(collate(examples)), model(collate(examples[:1]))
    count = len(examples[0].places)
    for name in ("units", "similarities"):
        assert torch.allclose(getattr(together, name)[0, :count], getattr(alone, name)[0], atol=1e-5)
    assert torch.allclose(together.page[0], alone.page[0], atol=1e-5)


def test_similarity_is_the_cosine_of_mean_states() -> None:
    model, example = tiny_reader().eval(), some_examples(1)[0]
    batch = collate([example])
    with torch.no_grad():
        states = model.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state[0]
        found = model(batch).similarities[0, 0]
        unit = states[3 : int(example.places[0])].mean(0)
        cosine = torch.cosine_similarity(states[1], unit, dim=0)
        expected = model.cosine_head(cosine.reshape(1, 1))
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_similarities_stand_beside_their_units() -> None:
    examples = some_examples(3)
    batch = collate(examples, [np.arange(len(example.places), dtype=np.float32) for example in examples])
    assert batch.similarities[batch.there].tolist() == [n for e in examples for n in range(len(e.places))]
