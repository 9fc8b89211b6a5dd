"""The served network beside the one that was trained."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertModel

from querygist.reader.batching import padded
from querygist.reader.input_format import CLS, SEP, ReaderInput
from querygist.reader.scorer import Compilation, Scorer, compilation
from tests.unit.reader import tiny
from training.reader import attention, quantize
from training.reader.model import Reader

pytestmark = pytest.mark.training


def trained() -> Reader:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=96, num_hidden_layers=3, num_attention_heads=3, intermediate_size=128,
        max_position_embeddings=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3,
        attn_implementation=attention.NAME,
    )  # fmt: skip
    model = Reader(BertModel(config, add_pooling_layer=False)).eval()
    for name, value in model.named_parameters():  # biases and norms that are not 0 and 1
        if value.ndim == 1:
            torch.nn.init.normal_(value, mean=float("LayerNorm.weight" in name), std=0.2)
    return model


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Scorer]:
    folder, model = tmp_path_factory.mktemp("reader"), trained()
    files = quantize.save(model.state_dict(), folder)
    model.load_state_dict(quantize.load(folder))
    return model, Scorer(files, compilation(1, precise=True))


inputs = st.lists(
    st.tuples(st.lists(st.integers(103, 199), min_size=2, max_size=61), st.randoms(use_true_random=False)),
    min_size=1,
    max_size=5,
)


def an_input(words: list[int], random: Any) -> ReaderInput:
    ids = [CLS, *words, SEP]
    places = sorted(random.sample(range(1, len(ids)), random.randint(1, len(ids) - 1)))
    return ReaderInput(ids, [random.randint(0, 1) for _ in ids], places)


@settings(max_examples=30)
@given(inputs)
def test_scores_are_those_of_the_trained_network(both: tuple[Reader, Scorer], drawn: list[Any]) -> None:
    model, scorer = both
    found = [an_input(*one) for one in drawn]
    batch = padded(found)
    tensors = {name: torch.from_numpy(getattr(batch, name)).long() for name in ("ids", "types", "mask", "places")}
    with torch.inference_mode():
        wanted = model(SimpleNamespace(**tensors))
    for row, (one, scores) in enumerate(zip(found, scorer.score(found), strict=True)):
        count = len(one.places)
        assert np.allclose(scores.units, wanted.units[row, :count], atol=1e-3)
        assert np.allclose(scores.similarities, wanted.similarities[row, :count], atol=1e-3)
        assert scores.page == pytest.approx(float(wanted.page[row]), abs=1e-3)


def test_matrices_stay_int8_in_the_served_network(tmp_path: Path) -> None:
    from querygist.reader import network

    tiny.write(tmp_path)
    model, sizes = network.build([tmp_path / "embeddings.safetensors", tmp_path / "layers.safetensors"])
    constants = [node for node in model.get_ops() if node.get_type_name() == "Constant" and len(node.get_shape()) == 2]
    large = {node.get_element_type().get_type_name() for node in constants if min(node.get_shape()) > 1}
    assert large == {"i8"}
    assert (sizes.vocabulary, sizes.types, sizes.positions) == (tiny.VOCABULARY, 2, tiny.TOKENS)


def test_expanded_matrices_give_the_same_scores(tmp_path: Path) -> None:
    tiny.write(tmp_path)
    files = [tmp_path / "embeddings.safetensors", tmp_path / "layers.safetensors"]
    one = ReaderInput([CLS, 7, 8, SEP, 9, SEP], [0, 0, 0, 0, 1, 0], [3, 5])
    precise = compilation(1, precise=True)
    found, other = (Scorer(files, Compilation(precise.options, expanded)).score([one])[0] for expanded in (True, False))
    assert found.units == pytest.approx(other.units, abs=1e-4)
    assert found.page == pytest.approx(other.page, abs=1e-4)


def test_lower_precision_stays_near_float32(tmp_path: Path) -> None:
    tiny.write(tmp_path)
    files = [tmp_path / "embeddings.safetensors", tmp_path / "layers.safetensors"]
    one = ReaderInput([CLS, 7, 8, SEP, 9, SEP], [0, 0, 0, 0, 1, 0], [3, 5])
    found, other = (Scorer(files, compilation(1, precise=precise)).score([one])[0] for precise in (True, False))
    assert found.units == pytest.approx(other.units, abs=0.2)
