"""Losses of the reader against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.reader import losses

pytestmark = pytest.mark.training


def test_unit_loss_weighs_answers_and_skips_unknown() -> None:
    logits = torch.tensor([[0.0, 0.0, 5.0]])
    found = losses.units(logits, torch.tensor([[1, 0, -1]]), positive_weight=3.0)
    assert float(found) == pytest.approx((3 + 1) / 2 * math.log(2))


def test_listwise_loss_is_nothing_for_an_even_share_on_answers() -> None:
    logits = torch.tensor([[20.0, 20.0, -20.0]])
    assert float(losses.listwise(logits, torch.tensor([[1, 1, 0]]))) == pytest.approx(0, abs=1e-6)


def test_listwise_loss_of_equal_scores() -> None:
    assert float(losses.listwise(torch.zeros(1, 4), torch.tensor([[1, 1, 0, -1]]))) == pytest.approx(math.log(3 / 2))


@given(st.lists(st.floats(-8, 8), min_size=3, max_size=3), st.floats(-5, 5))
def test_listwise_loss_ignores_a_shift_and_is_not_negative(logits: list[float], shift: float) -> None:
    answers = torch.tensor([[1, 0, 1]])
    found = losses.listwise(torch.tensor([logits]), answers)
    assert float(found) >= -1e-5
    assert float(losses.listwise(torch.tensor([logits]) + shift, answers)) == pytest.approx(float(found), abs=1e-4)


def test_page_loss_skips_unknown_pages() -> None:
    assert float(losses.page(torch.tensor([0.0, 9.0]), torch.tensor([1, -1]))) == pytest.approx(math.log(2))


def test_similarity_loss_counts_in_spreads() -> None:
    found = losses.similarity(torch.tensor([[0.45, 9.0]]), torch.tensor([[0.3, 0.0]]), torch.tensor([[True, False]]))
    assert float(found) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("loss", [losses.listwise, losses.page])
def test_loss_of_nothing_known_is_zero_with_a_gradient(loss: object) -> None:
    logits = torch.ones(2, 3, requires_grad=True) if loss is losses.listwise else torch.ones(2, requires_grad=True)
    found = loss(logits, torch.full(logits.shape, -1))  # type: ignore[operator]
    found.backward()
    assert float(found.detach()) == 0
    assert logits.grad is not None
