"""One score of the reader's and BM25's."""

import pytest

from querygist.pipeline.fusion import Fusion
from querygist.reader.pages import Reading
from querygist.text.cleaning import clean_document
from querygist.text.ranking import rank

WEIGHTS = {
    "bias": -1.0, "answer": 1.0, "similarity": 0.0, "words": 1.0, "first": 0.0, "listed": 0.0, "entry": 0.5,
    "next_bonus": 0.1,
}  # fmt: skip
PAGE = clean_document("It rains in Graz. The lamp is red. It is sold.", content_type="text/plain")


def reading(*logits: float | None) -> Reading:
    return Reading(logits, tuple(None if logit is None else 0.0 for logit in logits), 0.9)


def test_both_are_heard() -> None:
    ranking = rank(PAGE, "lamp")
    by_words = Fusion.of(WEIGHTS).fused(ranking, reading(0.0, 0.0, 0.0))
    assert by_words.order[0] == 1
    by_reader = Fusion.of(WEIGHTS).fused(ranking, reading(0.0, 0.0, 4.0))
    assert by_reader.order[0] == 2
    assert all(0 < score < 1 for score in by_reader.scores)


def test_what_was_not_read_comes_nowhere() -> None:
    found = Fusion.of(WEIGHTS).fused(rank(PAGE, "lamp"), reading(1.0, None, 0.5))
    assert found.order == [0, 2]
    assert found.scores[1] == 0


def test_the_reader_ranks_a_page_without_a_word_of_the_query() -> None:
    assert Fusion.of(WEIGHTS).fused(rank(PAGE, "weather"), reading(3.0, 0.0, 0.0)).order == [0, 1, 2]


def test_a_list_under_the_heading_asked_for_wins_over_prose() -> None:
    page = clean_document(
        "<p>We hike a lot.</p><h2>What to bring</h2><ul><li>rope</li><li>hat</li></ul>", content_type="text/html"
    )
    ranking, said = rank(page, "what to bring"), reading(1.0, -1.5, -1.5)
    assert Fusion.of(WEIGHTS).fused(ranking, said).order[0] == 0
    assert Fusion.of(WEIGHTS | {"listed": 6.0}).fused(ranking, said).order[:2] == [1, 2]


def test_a_weight_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="listed"):
        Fusion.of({name: value for name, value in WEIGHTS.items() if name != "listed"})
