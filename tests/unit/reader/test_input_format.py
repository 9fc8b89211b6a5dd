"""The reader's input, id by id."""

from hypothesis import given
from hypothesis import strategies as st

from querygist.reader.input_format import CLS, LIMITS, SEP, new_headings
from tests.unit.reader.fixtures import WORDS, encoder

MOON, IS, COLD, SUN, HOT, WHY, TOPICS = 2, 3, 4, 5, 6, 7, 9

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
paths = st.lists(st.sampled_from(WORDS), max_size=3).map(tuple)


def test_input_is_query_headings_and_units() -> None:
    made = encoder().encode(
        "why cold", ["Moon is cold", "sun hot", "is"], [("topics",), ("topics",), ("topics", "sun")]
    )
    assert made.ids == [CLS, WHY, COLD, SEP, TOPICS, MOON, IS, COLD, SEP, SUN, HOT, SEP, SUN, IS, SEP]
    assert made.types == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert made.places == [8, 11, 14]


def test_query_is_cut_to_its_limit() -> None:
    made = encoder().encode("why " * 100, ["moon"], [()])
    assert made.ids == [CLS, *[WHY] * LIMITS.query, SEP, MOON, SEP]


def test_units_that_do_not_fit_are_left_out() -> None:
    made = encoder().encode("why", ["moon is", "sun hot", "moon"], [(), (), ()], max_tokens=8)
    assert made.ids == [CLS, WHY, SEP, MOON, IS, SEP]


def test_spelled_out_control_token_ends_no_unit() -> None:
    made = encoder().encode("why", ["moon [SEP] sun"], [()])
    assert made.ids.count(SEP) == 2


@given(texts, st.lists(st.tuples(texts, paths), min_size=1, max_size=6))
def test_every_unit_is_scored_at_its_own_separator(query: str, units: list[tuple[str, tuple[str, ...]]]) -> None:
    made = encoder().encode(query, [text for text, _ in units], [path for _, path in units])
    assert len(made.ids) == len(made.types)
    assert len(made.places) == len(units)
    assert [place for place, token in enumerate(made.ids) if token == SEP][1:] == made.places


@given(paths, paths)
def test_new_headings_complete_the_shared_part(before: tuple[str, ...], path: tuple[str, ...]) -> None:
    new = new_headings(before, path)
    shared = len(path) - len(new)
    assert path[:shared] == before[:shared]
    assert path[shared:] == new
