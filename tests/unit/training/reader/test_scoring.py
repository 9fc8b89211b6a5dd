"""Scores of whole pages, and quotes made of them."""

import numpy as np
import pytest
import torch

from tests.unit.reader.fixtures import encoder
from tests.unit.training.reader.fixtures import tiny_reader
from training.reader.mixture import Page
from training.reader.scoring import Scorer
from training.reader.selection import bm25, fill
from training.reader.units import Unit

pytestmark = pytest.mark.training


def page(count: int) -> Page:
    return Page("1", "s", "why", [Unit("the moon is cold", False)] * count, False)


@pytest.fixture
def scorer() -> Scorer:
    return Scorer(tiny_reader(), encoder(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=False))


def test_every_unit_of_a_long_page_is_scored(scorer: Scorer) -> None:
    found = scorer.score([page(30), page(2)], max_tokens=32)
    assert [len(scores.units) for scores in found] == [30, 2]
    assert all(np.isfinite(scores.units).all() and np.isfinite(scores.page) for scores in found)


def test_page_in_one_window_scores_alike_in_any_batch(scorer: Scorer) -> None:
    alone, together = scorer.score([page(3)])[0], scorer.score([page(1), page(3), page(4)])[1]
    assert np.allclose(alone.units, together.units, atol=1e-5)
    assert alone.page == pytest.approx(together.page, abs=1e-5)


def test_unit_that_never_fits_is_an_error(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="fits no window"):
        scorer.score([page(1)], max_tokens=4)


TEXTS = ["a b c", "d e", "f g h i", "j"]


def test_quote_takes_the_best_units_in_page_order() -> None:
    assert fill(TEXTS, np.array([2.0, 1.0, 0.0, 3.0], np.float32), 4) == "a b c j"


def test_quote_skips_what_would_be_too_long() -> None:
    assert fill(TEXTS, np.array([0.0, 3.0, 2.0, 1.0], np.float32), 3) == "d e j"


def test_best_unit_is_quoted_whatever_its_length() -> None:
    assert fill(TEXTS, np.array([0.0, 0.0, 3.0, 0.0], np.float32), 1) == "f g h i"


def test_bm25_prefers_the_rare_word_and_then_the_first() -> None:
    scores = bm25("cold moon", ["the moon", "cold moon", "stars", "stars"])
    assert scores.argmax() == 1
    assert scores[2] > scores[3]
