"""pytest tests/unit/evaluation/test_sentences.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.evaluation.sentences import NOTHING_CHOSEN, SentenceScore, compare, score, used
from querygist.text.sentences import bounded_spans

DOCUMENT = (
    "Owls hunt mice at night in the old barns. Their eyes are large and see well in the dark. "
    "Mice sleep by day under the floor. They eat grain and what falls from the tables of the farm all year long."
)
SENTENCES = bounded_spans(DOCUMENT)
NUMBERED = [" ".join(f"w{number}x{place}" for place in range(7)) + "." for number in range(8)]


def of(text: str, document: str = DOCUMENT) -> set[int]:
    return set(used(document, bounded_spans(document), text))


@given(st.sets(st.integers(0, 7), min_size=1))
def test_whole_sentences_are_found_again_in_any_order(places: set[int]) -> None:
    text = " ".join(NUMBERED[place].capitalize() for place in sorted(places, reverse=True))
    assert of(text, " ".join(each.capitalize() for each in NUMBERED)) == places


def test_a_cut_sentence_is_used_from_half_or_eight_words() -> None:
    assert of("Mice sleep by day under the floor. They eat grain and what falls from the tables …") == {2, 3}
    assert of("Mice sleep by day under the floor. They eat grain and what …") == {2}


def test_a_fragment_that_is_the_answer_is_its_sentence() -> None:
    assert of("from the tables") == {3}


def test_a_short_sentence_inside_of_a_longer_one_is_not_used() -> None:
    document = "The old barns. Owls hunt mice in the old barns at night. Nothing else."
    assert of("Owls hunt mice in the old barns at night.", document) == {1}


def test_a_sentence_that_stands_twice_is_used_once() -> None:
    document = "Owls hunt mice at night. Cats sleep. Owls hunt mice at night."
    assert of("Owls hunt mice at night.", document) == {0}


def test_other_words_use_no_sentence() -> None:
    assert of("Nocturnal birds prey upon rodents.") == set()
    assert of("") == set()


def test_case_and_punctuation_do_not_count() -> None:
    assert of("MICE sleep, by day; under the floor!") == {2}


def test_precision_recall_and_f1_are_those_of_sets() -> None:
    assert compare(frozenset({0, 1, 2, 3}), frozenset({0, 9})) == SentenceScore(25, 50, pytest.approx(100 / 3))
    assert compare(frozenset(), frozenset({0})) == NOTHING_CHOSEN


def test_the_best_reference_counts_and_none_gives_no_score() -> None:
    first, second = (DOCUMENT[slice(*SENTENCES[place])] for place in (0, 1))
    assert score(DOCUMENT, second, [first, "Words of their own.", f"{first} {second}"]) == SentenceScore(
        100, 50, pytest.approx(200 / 3)
    )
    assert score(DOCUMENT, first, ["Words of their own."]) is None


@given(st.lists(st.sampled_from(DOCUMENT.split()), max_size=30).map(" ".join))
def test_a_text_has_itself_as_its_best_choice(text: str) -> None:
    found = score(DOCUMENT, text, [text])
    assert found is None or found.f1 == 100
