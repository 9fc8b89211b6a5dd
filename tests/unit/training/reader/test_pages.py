"""Paragraphs made to look like pages: what answers goes on answering."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from training.reader.boilerplate import AFTER, BEFORE
from training.reader.pages import Chances, as_page, as_typed, keywords
from training.reader.units import Unit

ALWAYS = Chances(neighbours=1, title=0.5, query_title=0.5, query_heading=1, boilerplate=1)

_WORDS = ("moon", "sun", "is", "cold,", "hot:", "stars", "shine;", "at", "night")
sentences = st.lists(st.sampled_from(_WORDS), min_size=2, max_size=24)
units = st.builds(lambda words, answers: Unit(" ".join(words) + ".", answers), sentences, st.booleans())
pages = st.lists(units, min_size=1, max_size=6)
chances = st.sampled_from([ALWAYS, Chances(), replace(ALWAYS, as_list=1), replace(ALWAYS, as_list=0, as_table=1),
                           replace(ALWAYS, as_list=0, as_table=0, merged=1),
                           replace(ALWAYS, as_list=0, as_table=0, merged=0, broken=1)])  # fmt: skip


def plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha())


@given(pages, pages, chances, st.integers(0, 50))
def test_words_that_answer_survive_and_still_answer(
    page: list[Unit], other: list[Unit], chance: Chances, seed: int
) -> None:
    made = as_page("why is the moon cold?", page, [other], Random(seed), chance)
    answering = plain(" ".join(unit.text for unit in made if unit.answers))
    for unit in page:
        if unit.answers:
            assert plain(unit.text) in answering


@given(pages, pages, chances, st.integers(0, 50))
def test_page_without_an_answer_gets_none(page: list[Unit], other: list[Unit], chance: Chances, seed: int) -> None:
    silent = [replace(unit, answers=False) for unit in page]
    assert not any(unit.answers for unit in as_page("why?", silent, [other], Random(seed), chance))


@given(pages, st.integers(0, 50))
def test_layout_keeps_the_text_that_similarity_is_taken_of(page: list[Unit], seed: int) -> None:
    quiet = Chances(0, 0, 0, 0, 0, as_list=1)
    made = as_page("why?", page, [], Random(seed), quiet)
    assert [unit.source_text for unit in made] == [unit.text for unit in page]


def test_same_seed_makes_the_same_page() -> None:
    page = [Unit("The moon is cold.", True), Unit("The sun is hot.", False)]
    assert as_page("why?", page, [page], Random(3), ALWAYS) == as_page("why?", page, [page], Random(3), ALWAYS)


def test_boilerplate_stands_around_the_page() -> None:
    made = as_page("why?", [Unit("The moon is cold.", True)], [], Random(1), Chances(0, 0, 0, 0, 1))
    assert {unit.text for unit in made if not unit.answers} <= {*BEFORE, *AFTER}


def test_keywords_keep_what_negates() -> None:
    assert keywords("Which animals do not sleep in the winter?") == "animals not sleep winter"


def test_query_of_stop_words_stays_a_query() -> None:
    assert keywords("What is it?") == "What is it?"


@given(st.integers(0, 200))
def test_typed_query_has_words_of_the_query_only(seed: int) -> None:
    typed = as_typed("Which animals sleep?", Random(seed), Chances())
    assert set(typed.lower().rstrip("?").split()) <= {"which", "animals", "sleep"}
