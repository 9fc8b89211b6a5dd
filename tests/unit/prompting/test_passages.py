"""pytest tests/unit/prompting/test_passages.py"""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.prompting.passages import beginning, end, select
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import CleanDocument
from querygist.text.ranking import rank
from tests.unit.text.page_fixtures import pages, plain

ZOO = plain(
    "Owls hunt at night. They fly without a sound. Parrots eat seeds. A parrot can live for eighty years. "
    "Nobody knows why. Penguins swim. An owl turns its head by 270 degrees."
)
CUT = {beginning: str.startswith, end: str.endswith}


def count(texts: Sequence[str]) -> list[int]:
    """Like a byte-level vocabulary: about four characters a token."""
    return [len(text) // 4 + 1 for text in texts]


def chosen(query: str, budget: int, page: CleanDocument = ZOO) -> list[str]:
    ranking = rank(page, query)
    places = select(ranking, budget=budget, count=count)
    return [page.text[ranking.units[place].start : ranking.units[place].end] for place in places]


def test_units_that_speak_to_the_query_are_kept_in_page_order() -> None:
    assert chosen("how long do parrots live", 11) == ["A parrot can live for eighty years."]
    assert chosen("owl hunting", 18) == ["Owls hunt at night.", "An owl turns its head by 270 degrees."]


def test_without_a_matching_term_the_beginning_is_taken() -> None:
    assert chosen("quantum", 16)[:2] == ["Owls hunt at night.", "They fly without a sound."]


def test_a_unit_that_does_not_fit_leaves_room_for_later_ones() -> None:
    page = plain(f"Owls hunt. Owls {'hide and ' * 5}hide. Rain.")
    assert chosen("owls hunt", 8, page) == ["Owls hunt.", "Rain."]


def test_nothing_is_taken_where_not_even_the_best_fits() -> None:
    assert chosen("owls", 2) == []


@given(pages(), st.sampled_from(["owls at night", "北京", "zzz"]), st.integers(1, 60))
def test_units_keep_the_budget_and_are_tried_best_first(page: CleanDocument, query: str, budget: int) -> None:
    ranking = rank(page, query)
    places = select(ranking, budget=budget, count=count)
    assert places == sorted(set(places))
    sizes = [size + 1 for size in count([page.text[unit.start : unit.end] for unit in ranking.units])]
    assert sum(sizes[place] for place in places) <= budget
    first = ranking.order[0] if ranking.order else 0
    assert first in places or sizes[first] > budget


@pytest.mark.parametrize("budget", [40, 200, 896])
def test_the_budget_is_used_with_the_real_vocabulary(budget: int, tokenizer: Tokenizer) -> None:
    page = plain(
        "".join(f"Fact {i}: the owl no. {i * 7} saw {i % 13} mice — «très bien», 北京 {i}! " for i in range(2_000))
    )
    ranking = rank(page, "which owl saw 12 mice")
    places = select(ranking, budget=budget, count=tokenizer.count_each)
    size = sum(
        tokenizer.count_each([page.text[ranking.units[place].start : ranking.units[place].end] for place in places])
    )
    assert budget * 0.6 - 30 <= size <= budget


def test_little_is_counted_of_a_long_document() -> None:
    counted: list[str] = []

    def counting(texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return count(texts)

    page = plain(" ".join([ZOO.text] * 800))
    select(rank(page, "parrots"), budget=500, count=counting)
    assert sum(map(len, counted)) < 5_000 < len(page.text)


@given(st.text("ab 龘🦓\n", min_size=1), st.integers(-3, 20), st.sampled_from([beginning, end]))
def test_a_cut_text_keeps_one_end_and_its_budget(text: str, budget: int, cut: object) -> None:
    kept = cut(text, budget, count)  # type: ignore[operator]
    assert CUT[cut](text, kept)  # type: ignore[index]
    assert len(kept) == 1 or count([kept])[0] <= budget


def test_a_text_is_cut_between_words_where_it_can_be() -> None:
    assert beginning("Owls hunt at night.", 3, count) == "Owls hunt"
    assert end("Owls hunt at night.", 3, count) == "at night."
    assert beginning("x" * 99, 3, count) == "x" * 11
