"""Weights that make one score of the reader's and BM25's, and the report on what they choose."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from querygist.pipeline.fusion import Fusion
from querygist.reader.pages import Reading
from querygist.text.cleaning import clean_document
from querygist.text.ranking import rank
from training.reader import report
from training.reader.evaluation import Labelled
from training.reader.fit_fusion import fit_quote, fit_units, objective
from training.reader.read_pages import ReadPage
from training.reader.similarity import Similarity

pytestmark = pytest.mark.training

CHANCE = np.random.default_rng(0)
SENTENCES = ("The moon is cold.", "The sun is hot.", "Stars shine at night.", "Nobody lives at home.")


def page(answer: int, kind: str = "answerable") -> ReadPage:
    """A page whose answer the reader knows, more or less, and BM25 does not."""
    document = " ".join(SENTENCES)
    answers = (SENTENCES[answer],) if kind == "answerable" else ()
    logits = CHANCE.normal(-2, 1, len(SENTENCES))
    logits[answer] += 5
    item = Labelled("1", "s", "what is at home", document, answers, kind)
    reading = Reading(tuple(logits.tolist()), (0.0,) * len(SENTENCES), 0.9 if answers else 0.1)
    ranking = rank(clean_document(document, content_type="text/plain"), item.query)
    marks = [bool(answers) and place == answer for place in range(len(SENTENCES))]
    return ReadPage(item, ranking, reading, marks, 2.0 if answers else -2.0)


PAGES = [page(number % 3) for number in range(30)]


def test_fitted_weights_follow_what_tells_the_answer() -> None:
    fusion = Fusion(**fit_units(PAGES), listed=0.0, entry=0.5, next_bonus=0.0)
    assert fusion.answer > 0.5
    best = [fusion.fused(one.ranking, one.reading).order[0] for one in PAGES]
    assert np.mean([bool(one.marks[place]) for one, place in zip(PAGES, best, strict=True)]) > 0.9


def test_a_quote_of_one_sentence_needs_a_high_entry() -> None:
    """All answers are of one sentence: what lets others in scores lower."""
    weights = fit_units(PAGES)
    found = fit_quote(PAGES[:6], weights | {"listed": 0.0})
    low, high = (
        np.mean([objective(one, Fusion(**weights, listed=0.0, entry=entry, next_bonus=0.0)) for one in PAGES[:6]])
        for entry in (0.0, 0.8)
    )
    assert low < high
    assert np.mean([objective(one, found) for one in PAGES[:6]]) >= high


def test_the_report_counts_what_is_chosen_and_refused(tmp_path: Path) -> None:
    pages = [*PAGES, *(page(0, "hard") for _ in range(5))]
    fusion = Fusion(**fit_units(PAGES), listed=0.0, entry=0.5, next_bonus=0.0)
    found = report.build(pages, fusion, _no_similarity(), temperature=1.0, threshold=0.5, seed=1)
    assert found.selection["all"]["fused"].top1 > 90 > found.selection["all"]["BM25"].top1
    assert found.refusals["s"]["hard"].refused == 100
    assert found.refusals["all"]["answerable"].refused == 0
    assert found.refusals["all"]["hard"].auc == 1
    text = report.write(tmp_path, "choices", "A reader", "command", found).read_text()
    assert "100.0 % (5), 1.000" in text
    assert (tmp_path / "choices.png").exists()


def _no_similarity() -> Similarity:
    made: Any = SimpleNamespace(add=lambda _texts: None, of=lambda _query, texts: np.zeros(len(texts), np.float32))
    return cast(Similarity, made)
