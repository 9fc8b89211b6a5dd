"""pytest tests/unit/text/test_quote.py"""

import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.cleaning import CleanDocument, clean_document
from querygist.text.quote import ELLIPSIS, Segment, quote, quote_of
from querygist.text.ranking import Weights, rank
from querygist.text.units import written
from tests.unit.text.page_fixtures import Page, pages, plain
from tests.verbatim import is_verbatim

QUERIES = st.sampled_from(["owls at night", "北京", "ดวง", "the", "OWLS", "hunnt", "1928", "site:x -the owl", "zzz"])
WORDS = st.integers(5, 120)

TEA = (
    "Green tea is made from unoxidised leaves. It should be brewed at 80 degrees. Black tea is oxidised. "
    "Tea grows in Asia."
)


def text_of(query: str, page: Page | CleanDocument, *, max_words: int = 60) -> str:
    return quote(page.document if isinstance(page, Page) else page, query, max_words=max_words).text


@given(pages(), QUERIES, WORDS)
def test_a_quote_is_the_pages_own_words_within_its_bound(page: CleanDocument, query: str, max_words: int) -> None:
    found = quote(page, query, max_words=max_words)
    assert len(found.text.split()) <= max_words
    assert "\n" not in found.text
    if not found.answerable:
        assert (found.text, found.segments, found.chosen) == ("", (), ())
        return
    assert found.text
    assert is_verbatim(found.text, page.text, found.segments)
    assert list(found.chosen) == sorted(set(found.chosen)), "in page order, none twice"
    ranking = rank(page, query)
    lines = [written(page.text, ranking.units[place].slices) for place in found.chosen]
    assert len(set(lines)) == len(lines), "pages repeat themselves"
    for place, segment in zip(found.chosen, found.segments, strict=True):
        slices = [(one.start, one.end) for one in ranking.units[place].slices]
        assert segment.sources[:-1] == tuple(slices[: len(segment.sources) - 1])
        assert segment.sources[-1][0] == slices[len(segment.sources) - 1][0]
        assert segment.sources[-1][1] <= slices[len(segment.sources) - 1][1]


@given(pages(), QUERIES, WORDS)
def test_the_same_question_gets_the_same_quote(page: CleanDocument, query: str, max_words: int) -> None:
    assert quote(page, query, max_words=max_words) == quote(page, query, max_words=max_words)
    assert quote(page, query, max_words=max_words) == quote_of(rank(page, query), max_words=max_words)


@given(pages(), QUERIES, WORDS)
def test_a_cut_unit_ends_in_an_ellipsis_at_a_word(page: CleanDocument, query: str, max_words: int) -> None:
    found, units = quote(page, query, max_words=max_words), rank(page, query).units
    cut = [
        segment
        for place, segment in zip(found.chosen, found.segments, strict=True)
        if segment.sources != tuple((one.start, one.end) for one in units[place].slices)
    ]
    assert len(cut) <= 1
    for segment in cut:
        assert found.text.startswith(ELLIPSIS, segment.end)
        _, end = segment.sources[-1]
        following = page.text[end : end + 1]
        assert not page.text[end - 1].isspace()
        assert not (following and unicodedata.combining(following)), "no character loses its marks"
        assert following == "" or following.isspace() or len(re.split(r"\s", page.text[:end])[-1]) >= 15


@given(pages(), QUERIES)
def test_a_page_is_quoted_where_a_term_occurs_and_only_there(page: CleanDocument, query: str) -> None:
    assert quote(page, query, max_words=40).answerable == bool(rank(page, query).order)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("green tea leaves", "Green tea is made from unoxidised leaves."),
        ("where does tea grow", "Tea grows in Asia."),
        ("WHERE DOES TEA GROW", "Tea grows in Asia."),
        ("where dose tea growws", "Tea grows in Asia."),
        ("site:tea.example tea grow -coffee", "Tea grows in Asia."),
        ("oxidised AND black", "Black tea is oxidised."),
        ("quantum chromodynamics", ""),
        ("?!", ""),
    ],
)
def test_a_question_gets_its_answer_and_no_more(query: str, expected: str) -> None:
    assert text_of(query, plain(TEA)) == expected


def test_a_query_of_one_stop_word_asks_for_it() -> None:
    assert text_of("the", plain("Rain fell. The sun shone.")) == "The sun shone."


def test_one_row_answers_a_question_about_one_thing() -> None:
    page = (
        Page()
        .heading(1, "Phones")
        .table(["Phone", "Battery", "Price"], ["Pixel", "5,000 mAh", "$599"], ["Nova", "4,200 mAh", "$99"])
    )
    found = quote(page.document, "nova price", max_words=60)
    assert found.text == "Phone: Nova; Price: $99"
    assert [page.document.text[slice(*span)] for span in found.segments[0].sources] == [
        "Phone", "Nova", "Price", "$99",
    ]  # fmt: skip


def test_items_under_the_heading_asked_for_are_all_quoted() -> None:
    page = Page().heading(1, "Pancakes").heading(2, "Ingredients")
    for item in ("200 g flour", "3 eggs", "500 ml milk"):
        page.add("item", item)
    page.heading(2, "Method").add("item", "Mix everything")
    assert text_of("ingredients", page) == "200 g flour; 3 eggs; 500 ml milk"


def test_a_heading_is_quoted_only_where_nothing_else_is() -> None:
    page = Page().heading(1, "Opening hours").add("paragraph", "Daily from nine.")
    assert text_of("opening hours", page) == "Daily from nine."
    assert text_of("opening hours", Page().heading(1, "Opening hours")) == "Opening hours"


def test_a_gap_is_marked() -> None:
    text = "Owls hunt at night. Rain fell on the dusty plain. Snow came. Wind blew. Owls hunt mice."
    assert text_of("owls hunt", plain(text)) == "Owls hunt at night. … Owls hunt mice."


def test_a_unit_of_one_long_sentence_is_cut_after_a_word() -> None:
    found = quote(plain("The owl, which flies at night, hunts mice and voles."), "owl", max_words=5)
    assert found.text == "The owl, which flies at…"
    assert found.segments == (Segment(0, 23, ((0, 23),)),)


def test_a_further_unit_is_cut_only_where_room_for_it_is_left() -> None:
    text = "Owls hunt mice. Owls hunt voles in the dark of the long cold winter nights."
    assert text_of("owls hunt", plain(text), max_words=9) == "Owls hunt mice."
    assert text_of("owls hunt", plain(text), max_words=11) == "Owls hunt mice. Owls hunt voles in the dark of the…"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("北京是中国的首都和政治中心" * 40, "首都"),
        ("เพนิซิลลินถูกค้นพบโดยเฟลมมิง" * 40, "เพนิซิลลิน"),
        ("2024年 " + "北京是中国的首都和政治中心" * 40, "首都"),
    ],
)
def test_unspaced_scripts_are_cut_between_characters(text: str, query: str) -> None:
    for max_words in range(5, 16):
        found = quote(plain(text), query, max_words=max_words)
        assert max_words * 15 - 20 <= len(found.text) <= max_words * 15
        (_, end) = found.segments[0].sources[-1]
        assert unicodedata.category(text[end])[0] != "M"
        assert found.text == f"{text[:end]}{ELLIPSIS}"


def test_a_long_word_of_letters_is_cut_only_if_it_is_alone() -> None:
    long = "Donaudampfschifffahrtsgesellschaftskapitän"
    assert text_of("owls", plain(f"Owls see a {long * 2} sail."), max_words=5) == "Owls see a…"
    assert text_of(long * 3, plain(long * 3), max_words=5) == f"{long * 3}"[:60] + ELLIPSIS


def test_a_page_that_repeats_itself_is_quoted_once() -> None:
    assert text_of("owl", plain("Call the owl. " * 50)) == "Call the owl."


def test_no_unit_below_the_entry_score_fills_the_bound() -> None:
    page = plain(TEA)
    everything = quote(page, "green tea", max_words=60, weights=Weights(entry=0.0))
    assert len(everything.chosen) > len(quote(page, "green tea", max_words=60).chosen)


def test_the_unit_behind_a_chosen_one_has_a_bonus() -> None:
    page = plain("Owls hunt. They eat mice. Rain fell. Snow came. Sun shone.")
    chosen = [quote(page, "owls", max_words=60, weights=Weights(next_bonus=bonus)).chosen for bonus in (0.0, 9.0)]
    assert chosen[0] == (0,)
    assert chosen[1][:2] == (0, 1)


def test_the_title_is_a_heading_of_the_page() -> None:
    page = plain("Daily from nine. Closed on Mondays.")
    assert not quote(page, "museum", max_words=20).answerable
    assert quote(page, "museum", max_words=20, title="Museum of trains").answerable


def seconds(work: Callable[[], object]) -> float:
    """The least of three."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def items(count: int) -> CleanDocument:
    page = Page().heading(1, "Birds")
    for number in range(count):
        page.add("item", f"Bird {number} eats seeds and hunts {number % 7} mice")
    return page.document


def line(characters: int) -> CleanDocument:
    return clean_document(("Birds eat seeds and hunt mice at night, " * 5_000)[:characters], content_type="text/plain")


def rows(count: int) -> CleanDocument:
    return Page().table(["Bird", "Food"], *([f"Bird {number}", "seeds"] for number in range(count))).document


@pytest.mark.parametrize("query", ["birds", "which bird hunts 3 mice at night", "sedes mcie brids", "the"])
@pytest.mark.parametrize(("page", "size"), [(items, 5_000), (line, 200_000), (rows, 5_000)])
def test_time_grows_with_the_page_and_no_faster(page: Callable[[int], CleanDocument], size: int, query: str) -> None:
    """Twenty times the page takes less than half of its square, four hundred times."""
    small, large = page(size // 20), page(size)
    assert seconds(lambda: quote(large, query, max_words=60)) < 200 * seconds(lambda: quote(small, query, max_words=60))
