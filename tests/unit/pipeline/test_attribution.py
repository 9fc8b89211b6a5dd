"""Run with."""

import time
import unicodedata
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument, clean_document
from querygist.text.sentences import sentence_spans, words

TEXT = (
    "The Eiffel Tower stands in Paris. It was built in 1889, for the World's Fair. Gustave Eiffel's company built it. "
    "It was painted again in 2021. Millions of people visit it every year."
)
VOCABULARY = ["the", "The", "tower", "of", "paris", "was", "built", "北", "京", "😀", "3.5", "it's", "é"]
SENTENCES = st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=3, max_size=9).map(lambda s: " ".join(s) + ". "))


def plain(text: str) -> CleanDocument:
    return clean_document(text, content_type="text/plain")


def folded(text: str) -> list[str]:
    return [text[start:end].casefold() for start, end in words(text)]


def sources(summary: str, document: CleanDocument) -> list[str]:
    return [document.source[start:end] for start, end in attribute(summary, document).sources]


def sources_at(summary: str, document: CleanDocument) -> list[tuple[int, str]]:
    return [(start, document.source[start:end]) for start, end in attribute(summary, document).sources]


@pytest.mark.parametrize(
    ("summary", "expected", "copied"),
    [
        ("It was built in 1889, for the World's Fair.", ["It was built in 1889, for the World's Fair"], 1.0),
        ("it was BUILT in 1889 - for the world's fair", ["It was built in 1889, for the World's Fair"], 1.0),
        ("Painted again in 2021: the Eiffel Tower.", ["The Eiffel Tower", "painted again in 2021"], 5 / 6),
        ("It was painted in Rome.", ["It was painted"], 2 / 4),
        ("Eiffel Tower", ["Eiffel Tower"], 1.0),
        ("Paris", ["Paris"], 1.0),
        ("Rome", [], 0.0),
        ("Tower Eiffel", [], 0.0),
        ("", [], 0.0),
        ("?!", [], 0.0),
    ],
)
def test_fragments(summary: str, expected: list[str], copied: float) -> None:
    document = plain(TEXT)
    assert sources(summary, document) == expected
    assert attribute(summary, document).copied == pytest.approx(copied)


def test_adjacent_fragments_of_the_document_are_one_source() -> None:
    assert sources("built it. It was painted again", plain(TEXT)) == ["built it. It was painted again"]
    # read backwards: two fragments, one place
    assert sources("for the World's Fair. It was built in 1889.", plain(TEXT)) == [
        "It was built in 1889, for the World's Fair"
    ]


def test_of_equal_places_the_next_after_the_last_source_wins() -> None:
    document = plain("Call us now. Our shop is open. Call us now. The bar is shut. So call us now.")
    assert sources_at("Call us now", document) == [(0, "Call us now")]
    assert sources_at("The bar is shut; call us now", document) == [(44, "The bar is shut"), (64, "call us now")]
    assert sources_at("The bar is shut. Our shop is open", document) == [
        (13, "Our shop is open"),
        (44, "The bar is shut"),
    ]


def test_a_short_match_does_not_hide_a_longer_one_inside() -> None:
    document = plain("a b x. b c d e")
    assert sources("a b c d e", document) == ["b c d e"]


@given(st.data(), SENTENCES.filter(bool))
def test_copied_sentences_are_found_whole(data: st.DataObject, sentences: list[str]) -> None:
    document = plain("".join(sentences))
    start, end = data.draw(st.sampled_from(sentence_spans(document.text)))
    summary = document.text[start:end]
    grounding = attribute(summary, document)
    assert grounding.copied == 1.0
    assert [word for span in grounding.sources for word in folded(document.source[slice(*span)])] == folded(summary)


@given(SENTENCES.filter(bool), st.lists(st.sampled_from([*VOCABULARY, "moon", "x"]), max_size=12).map(" ".join))
def test_sources_are_sorted_disjoint_and_of_summary_words(sentences: list[str], summary: str) -> None:
    document = plain("".join(sentences))
    grounding = attribute(summary, document)
    assert 0.0 <= grounding.copied <= 1.0
    end = -1
    for start, stop in grounding.sources:
        assert end < start < stop <= len(document.source)
        end = stop
        assert set(folded(document.source[start:stop])) <= set(folded(summary))


@given(SENTENCES.filter(bool), st.lists(st.sampled_from(["", "\u200b", "\u200d", "\u202e", "\u00ad"]), min_size=1))
def test_sources_lead_back_through_cleaning(sentences: list[str], noise: list[str]) -> None:
    """Decomposed characters, hidden ones and wild blanks: the places hold the same words."""
    decomposed = unicodedata.normalize("NFD", "".join(sentences)).replace(" ", " \t\u00a0")
    text = "".join(hidden + character for hidden, character in zip(cycle(noise), decomposed, strict=False))
    document = plain(text)
    summary = document.text[slice(*sentence_spans(document.text)[-1])]
    grounding = attribute(summary, document)
    assert grounding.copied == 1.0
    found = " ".join(plain(document.source[slice(*span)]).text for span in grounding.sources)
    assert folded(found) == folded(summary)


def test_sources_of_html_index_the_answers_text() -> None:
    document = clean_document(
        "<p>One &amp; <b>two</b>.</p><p>The caf<i>e&#x301;</i> is open.</p>", content_type="text/html"
    )
    assert sources("The café is open.", document) == ["The café is open"]


@pytest.mark.parametrize("summary", ["a " * 119 + "b", "a a a b " * 30, "b a " * 60])
def test_repetitive_documents_take_no_longer(summary: str) -> None:
    """Extending every occurrence word by word would take minutes here."""
    start = time.perf_counter()
    assert attribute(summary, plain("a " * 99_990 + "b")).copied > 0
    assert time.perf_counter() - start < 2.0
