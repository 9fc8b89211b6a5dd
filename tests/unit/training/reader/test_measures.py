"""Measures of a reader."""

import numpy as np
import pytest

from training.reader import measures

pytestmark = pytest.mark.training

TEXTS = ["one two three", "four five", "six seven eight nine", "ten"]


def test_the_best_come_in_the_pages_order_until_enough() -> None:
    assert measures.fill(TEXTS, np.array([1.0, 3.0, 0.0, 2.0]), 3) == "four five ten"


def test_one_that_is_too_long_is_passed_over_unless_first() -> None:
    assert measures.fill(TEXTS, np.array([0.0, 1.0, 3.0, 2.0]), 5) == "six seven eight nine ten"
    assert measures.fill(TEXTS, np.array([0.0, 0.0, 3.0, 0.0]), 1) == "six seven eight nine"


def test_auc_counts_ties_as_half() -> None:
    assert measures.auc(np.array([1.0, 2.0]), np.array([0.0, 1.0])) == pytest.approx(3.5 / 4)


def test_standardized_of_equals_is_zero() -> None:
    assert measures.standardized(np.array([2.0, 2.0])).tolist() == [0, 0]
    assert measures.standardized(np.array([0.0, 2.0])).tolist() == [-1, 1]
