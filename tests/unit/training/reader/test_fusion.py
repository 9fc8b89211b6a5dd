"""Weights that fuse what is known of units."""

import numpy as np
import pytest

from training.reader import fusion
from training.reader.mixture import Page
from training.reader.scoring import PageScores
from training.reader.units import Unit

pytestmark = pytest.mark.training

CHANCE = np.random.default_rng(0)


def page(answer: int, count: int) -> tuple[Page, PageScores]:
    """A page whose answer the cosine knows and the reader does not."""
    units = [Unit(f"moon {place}", place == answer) for place in range(count)]
    cosine = CHANCE.normal(0, 0.1, count).astype(np.float32)
    cosine[answer] += 1
    return Page("1", "s", "moon", units, True), PageScores(CHANCE.normal(0, 1, count).astype(np.float32), cosine, 0.0)


MADE = [page(number % 3, 3 + number % 4) for number in range(40)]
PAGES = [one for one, _ in MADE]
COLUMNS = [fusion.features(one, scores) for one, scores in MADE]


def test_fitted_weights_follow_what_tells_the_answer() -> None:
    weights = dict(zip(fusion.FEATURES, fusion.fit(PAGES, COLUMNS).tolist(), strict=True))
    assert max(weights, key=lambda name: weights[name]) == "cosine"


def test_crossed_scores_find_answers_they_were_not_fitted_on() -> None:
    best = [scores.argmax() for scores in fusion.crossed(PAGES, COLUMNS)]
    assert np.mean([one.units[place].answers for one, place in zip(PAGES, best, strict=True)]) > 0.9


def test_features_have_a_row_for_each_unit() -> None:
    assert [columns.shape for columns in COLUMNS] == [(len(one.units), len(fusion.FEATURES)) for one in PAGES]
