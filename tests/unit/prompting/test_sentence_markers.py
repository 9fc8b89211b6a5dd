"""pytest tests/unit/prompting/test_sentence_markers.py"""

from hypothesis import given
from hypothesis import strategies as st

from querygist.prompting.sentence_markers import document, mark, place_of
from querygist.prompting.templates import LABEL, LETTERS
from querygist.text.cleaning import CleanDocument
from querygist.text.ranking import NOTHING, rank
from tests.unit.text.page_fixtures import Page, pages

QUERIES = st.sampled_from(["owls at night", "北京", "trains"])


@given(pages(), QUERIES, st.data())
def test_labels_stand_around_units_in_page_order(page: CleanDocument, query: str, data: st.DataObject) -> None:
    ranking = rank(page, query)
    places = sorted(data.draw(st.sets(st.sampled_from(range(len(ranking.units))))))
    marked = mark(ranking, places)
    found = marked.sentences
    assert "".join(one.letter for one in found) == LETTERS[: min(len(places), len(LETTERS))]
    texts = [page.text[ranking.units[place].start : ranking.units[place].end] for place in places]
    told = [marked.text[one.start : one.end] for one in found]
    assert told == texts if len(places) <= len(LETTERS) else set(told) <= set(texts)
    assert sum(one.best for one in found) == (bool(ranking.order) and ranking.order[0] in places)
    for place, one in enumerate(found):
        assert place_of(found, one.start) == place_of(found, one.end - 1) == place
    assert place_of([], 0) is None


@given(pages(), QUERIES)
def test_all_units_of_a_page_are_the_page(page: CleanDocument, query: str) -> None:
    ranking = rank(page, query)
    assert mark(ranking, range(len(ranking.units))).text == page.text


def test_labels_go_to_the_units_nearest_to_the_query() -> None:
    page = Page()
    for number in range(80):
        page.add("item", f"Line {number} tells of {'owls' if number >= 60 else 'mice'}.")
    marked = mark(rank(page.document, "owls"), range(80))
    texts = [marked.text[one.start : one.end] for one in marked.sentences]
    assert len(texts) == len(LETTERS)
    assert all(any(f" {number} " in text for text in texts) for number in range(60, 80))
    assert mark(NOTHING, ()).sentences == ()


def test_a_heading_has_no_label_and_closes_the_one_before() -> None:
    page = Page().add("paragraph", "Trains stop here.").heading(2, "Opening hours").add("paragraph", "Daily from nine.")
    marked = mark(rank(page.document, "opening hours"), range(2))
    segments = document("v4", marked)
    ours = "".join(segment.text if segment.ours else "_" for segment in segments)
    assert [segment.text.strip() for segment in segments if not segment.ours] == [
        "Trains stop here.",
        "Opening hours",
        "Daily from nine.",
    ]
    assert ours.replace("<file_sep>", "") == f"{LABEL}A_A_{LABEL}B_B{LABEL}"
