"""pytest tests/unit/text/test_ranking.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.cleaning import CleanDocument
from querygist.text.ranking import Ranking, rank
from querygist.text.units import units, written
from tests.unit.text.page_fixtures import Page, pages, plain

ZOO = plain(
    "Owls hunt at night. They fly without a sound. Parrots eat seeds. A parrot can live for eighty years. "
    "Penguins swim. An owl turns its head by 270 degrees."
)
QUERIES = st.sampled_from(["owls at night", "北京", "the", "ดวง", "hunnt", "zzz", "site:x -owl", "", "?!", "1928"])


def best(ranking: Ranking) -> str:
    return written(ranking.text, ranking.units[ranking.order[0]].slices) if ranking.order else ""


def scores(page: Page, query: str, title: str | None = None) -> dict[str, float]:
    ranking = rank(page.document, query, title=title)
    return {
        written(ranking.text, unit.slices): score for unit, score in zip(ranking.units, ranking.scores, strict=True)
    }


@given(pages(), QUERIES)
def test_every_unit_has_a_place_or_none_has(page: CleanDocument, query: str) -> None:
    ranking = rank(page, query)
    assert ranking.units == units(page.text, page.blocks)
    assert sorted(ranking.order) == (list(range(len(ranking.units))) if ranking.order else [])
    ordered = [ranking.scores[place] for place in ranking.order]
    assert ordered == sorted(ordered, reverse=True)
    assert all(score >= 0 for score in ranking.scores)
    assert rank(page, query) == ranking


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("how long do parrots live", "A parrot can live for eighty years."),
        ("HOW LONG DO PARROTS LIVE", "A parrot can live for eighty years."),
        ("how long do parots live", "A parrot can live for eighty years."),
        ("penguin -swim site:zoo.example", "Penguins swim."),
        ("owls AND head", "An owl turns its head by 270 degrees."),
        ("penguinz", "Penguins swim."),
        ("quantum", ""),
        ("zoo", ""),
        ("?!", ""),
    ],
)
def test_best_is_the_unit_that_speaks_to_the_query(query: str, expected: str) -> None:
    assert best(rank(ZOO, query)) == expected


def test_operators_are_words_where_nothing_else_is_asked() -> None:
    assert (
        best(rank(plain("Owls hunt. Use site:zoo to search one site."), "site:zoo"))
        == "Use site:zoo to search one site."
    )
    assert best(rank(plain("Owls hunt. Either this OR that."), "OR")) == "Either this OR that."


def test_a_rare_term_counts_more_than_a_common_one() -> None:
    text = "The owl sits. The owl flies. The owl eats. The owl rests. A moth sits. The owl sleeps."
    assert best(rank(plain(text), "owl moth")) == "A moth sits."


def test_a_query_of_stop_words_asks_for_them() -> None:
    assert best(rank(plain("An owl. To be or not to be."), "to be")) == "To be or not to be."
    assert best(rank(plain("An owl. The mouse."), "the")) == "The mouse."


def test_a_short_word_is_never_taken_for_another() -> None:
    assert rank(plain("The cat sat."), "car").order == []


def test_a_heading_speaks_for_what_stands_under_it() -> None:
    page = Page().heading(2, "Opening hours").add("item", "Monday 9-17").heading(2, "Prices").add("item", "Adults 12")
    found = scores(page, "opening hours")
    assert found["Monday 9-17"] > found["Adults 12"]
    titled = scores(Page().add("item", "Monday 9-17"), "opening hours", title="Opening hours")
    assert titled["Monday 9-17"] > 0


def test_a_heading_speaks_less_and_less_for_later_sentences() -> None:
    names = ["Ada", "Bob", "Cyd"]
    page = Page().heading(2, "Parking")
    for name in names:
        page.add("paragraph", f"{name} goes on.")
    found = list(scores(page, "parking").values())
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


def test_navigation_counts_less_than_the_same_words_elsewhere() -> None:
    page = Page().add("item", "Owls hunt here", boilerplate=True).add("paragraph", "x.").add("item", "Owls hunt there")
    found = scores(page, "owls hunt")
    assert found["Owls hunt there"] > 2 * found["Owls hunt here"]


def test_a_number_is_preferred_where_one_is_asked_for() -> None:
    page = plain("The tower is quite old. The tower opened in 1889. A dog.")
    assert best(rank(page, "when did the tower open")) == "The tower opened in 1889."
    tied = Page().add("item", "The harbour is large").add("item", "The harbour has 12 quays")
    asked, plain_ = scores(tied, "how many harbour"), scores(tied, "harbour")
    assert asked["The harbour has 12 quays"] == plain_["The harbour has 12 quays"]
    assert asked["The harbour is large"] < plain_["The harbour is large"]


def test_neighbours_of_the_querys_words_rank_above_others() -> None:
    found = scores(
        Page().add("paragraph", "Rain fell. Who hunts at night? Owls do. Sun shone. Snow came."), "who hunts at night"
    )
    assert found["Owls do."] > found["Snow came."]
