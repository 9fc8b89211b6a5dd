"""Units of a row and which of them answer."""

from training.reader.rows import ReaderRow
from training.reader.units import Unit, covered, units_of, with_headings


def row(document: str, *answers: str, answerable: bool = True) -> ReaderRow:
    return ReaderRow(id="1", source="s", query="Why?", document=document, answers=answers, answerable=answerable)


PAGE = "The moon is cold at night. The sun is very hot. Nobody lives there."


def marks(units: list[Unit]) -> list[bool | None]:
    return [unit.answers for unit in units]


def test_units_that_the_answer_covers_are_marked() -> None:
    assert marks(units_of(row(PAGE, "The sun is very hot. Nobody lives there."))) == [False, True, True]


def test_unit_that_holds_a_fragment_is_marked() -> None:
    assert marks(units_of(row(PAGE, "cold at night"))) == [True, False, False]


def test_any_reference_marks_units() -> None:
    assert marks(units_of(row(PAGE, "The moon is cold at night.", "The sun is very hot."))) == [True, True, False]


def test_answer_in_own_words_marks_nothing_as_known() -> None:
    assert marks(units_of(row(PAGE, "Temperatures differ a great deal between the bodies"))) == [None, None, None]


def test_page_without_an_answer_has_units_that_do_not() -> None:
    assert marks(units_of(row(PAGE, answerable=False))) == [False, False, False]


def test_one_word_answer_is_found() -> None:
    assert covered(["Paris", "Rome is old"], ["Paris"]) == [True, False]


def test_short_lines_become_headings_of_what_follows() -> None:
    page = "Cold places\nThe moon is cold at night and in the day it is hot, which surprises most people who ask."
    found = with_headings(units_of(row(page, "The moon is cold at night and in the day")), page, "Sky")
    assert [unit.headings for unit in found] == [("Sky", "Cold places")]


def test_short_line_that_answers_stays_a_unit() -> None:
    page = "Cold and dark places\nThe moon is one of them, and nobody has been there for as long as people remember it."
    found = with_headings(units_of(row(page, "Cold and dark places")), page, None)
    assert marks(found) == [True, False]
