"""Measures of one output."""

import pytest

from querygist.evaluation.rouge import NOTHING
from querygist.evaluation.sentences import NOTHING_CHOSEN, SentenceScore
from tests.unit.training.evaluate.example_fixtures import DOCUMENT, example
from training.evaluate.measures import measure
from training.generate.generator import Generated


def test_an_output_is_measured() -> None:
    one = example(references=("Owls hunt at night.", "They eat grain, mice do."), max_words=5)
    found = measure(one, Generated("Owls hunt at night in Utah.", True, tokens=9, passes=4, seconds=0.5))
    assert found.rouge is not None
    assert found.rouge.rouge1 == pytest.approx(100 * 2 * (4 / 6) / (4 / 6 + 1))
    assert (found.words, found.requested, found.reference_words) == (6, 5, 4.5)
    assert found.compression == pytest.approx(6 / 15)
    assert found.copied == pytest.approx(3 / 5)
    assert found.invented == 1
    assert (found.tokens, found.passes, found.seconds) == (9, 4, 0.5)


def test_a_refused_positive_scores_nothing_whatever_its_text() -> None:
    found = measure(example(), Generated(DOCUMENT, answerable=False))
    assert (found.rouge, found.words, found.answered) == (NOTHING, 0, False)


def test_an_answer_without_text_scores_nothing_and_is_no_refusal() -> None:
    found = measure(example(), Generated("", answerable=True))
    assert (found.rouge, found.answered) == (NOTHING, True)


def test_a_negative_has_no_rouge() -> None:
    assert measure(example(kind="hard"), Generated("Owls.", answerable=True)).rouge is None


def test_without_references_the_summary_is_one() -> None:
    found = measure(example(references=()), Generated("Owls hunt at night.", answerable=True))
    assert found.rouge is not None
    assert found.rouge.rouge2 == 100.0


def test_sentences_are_scored_where_the_answer_is_made_of_them() -> None:
    both = measure(example(), Generated("Owls hunt at night. They eat grain.", answerable=True))
    assert both.sentences == SentenceScore(50, 100, pytest.approx(200 / 3))
    assert measure(example(), Generated("", answerable=False)).sentences == NOTHING_CHOSEN
    assert (
        measure(example(references=("In words of their own.",)), Generated(DOCUMENT, answerable=True)).sentences is None
    )
    assert measure(example(kind="hard"), Generated(DOCUMENT, answerable=True)).sentences is None


def test_examples_of_one_query_are_one_cluster() -> None:
    first, second, other = (
        measure(example(id_, query=query), Generated("Owls.", answerable=True))
        for id_, query in (("a", "Why owls"), ("b", "why owls"), ("c", "why mice"))
    )
    assert first.cluster == second.cluster != other.cluster
