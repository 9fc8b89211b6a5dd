"""int8 weights: how far they may be off, and the two files."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.reader.fixtures import tiny_reader
from training.reader import quantize

pytestmark = pytest.mark.training


@given(st.integers(0, 1000), st.floats(1e-6, 1e4))
def test_value_is_off_by_half_a_scale_at_most(seed: int, size: float) -> None:
    matrix = size * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed))
    back = quantize.dequantize(quantize.quantize({"encoder.w": matrix}))["encoder.w"]
    bound = matrix.abs().amax(1, keepdim=True) / 127 / 2
    assert ((matrix - back).abs() <= bound * (1 + 1e-5)).all()


def test_row_of_zeros_stays_zero() -> None:
    back = quantize.dequantize(quantize.quantize({"encoder.w": torch.zeros(2, 3)}))["encoder.w"]
    assert torch.equal(back, torch.zeros(2, 3))


def test_quantizing_twice_changes_nothing() -> None:
    once = quantize.dequantize(quantize.quantize({"encoder.w": torch.randn(4, 4)}))
    assert torch.allclose(quantize.dequantize(quantize.quantize(once))["encoder.w"], once["encoder.w"], atol=1e-6)


def test_two_files_hold_the_whole_reader(tmp_path: Path) -> None:
    model = tiny_reader()
    embeddings, layers = quantize.save(model.state_dict(), tmp_path)
    assert embeddings.exists()
    assert layers.exists()
    loaded = quantize.load(tmp_path)
    assert loaded.keys() == model.state_dict().keys()
    assert torch.equal(loaded["page_head.weight"], model.state_dict()["page_head.weight"])
    model.load_state_dict(loaded)
