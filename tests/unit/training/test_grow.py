"""pytest tests/unit/training/test_grow.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sentences import sentence_spans
from training.grow import grow
from training.sections import GrowConfig

EVERY = GrowConfig(share=1)


def sentence(words: int, name: str) -> str:
    return " ".join([name.capitalize(), *[f"{name}{i}" for i in range(words - 1)]]) + "."


LENGTHS = st.lists(st.integers(3, 45), min_size=1, max_size=12)


@given(LENGTHS, st.data(), st.integers(0, 1000))
def test_a_grown_target_is_a_part_of_the_document_around_the_original_of_the_asked_length(
    lengths: list[int], data: st.DataObject, seed: int
) -> None:
    sentences = [sentence(words, f"s{i}x") for i, words in enumerate([20, *lengths])]  # the first one is no title
    document = " ".join(sentences)
    at = data.draw(st.integers(0, len(lengths)))
    grown = grow(document, sentences[at], EVERY, seed, "row")
    assert sentences[at] in grown.text
    assert grown.span is not None
    assert document[slice(*grown.span)] == grown.text
    assert grown.derived == (grown.text != sentences[at])
    spans = sentence_spans(document)
    assert grown.span[0] in {start for start, _ in spans}
    assert grown.span[1] in {end for _, end in spans}
    possible = {
        len(" ".join(sentences[first : last + 1]).split())
        for first in range(at + 1)
        for last in range(at, len(sentences))
    }
    words = len(grown.text.split())
    assert words <= EVERY.max_words
    if any(EVERY.min_words <= size <= EVERY.max_words for size in possible):
        assert EVERY.min_words <= words


@pytest.mark.parametrize(
    ("answer", "following", "expected"),
    [
        ("Rain fell.", "Boats came ten days later.", "Rain fell. Boats came ten days later."),
        ("It fell on the town.", "Boats came soon.", "Clouds had gathered since noon. It fell on the town."),
        ("Rain fell on the town.", "Yes.", "Clouds had gathered since noon. Rain fell on the town."),
    ],
    ids=["forwards", "backwards when it leans back", "backwards when nothing follows"],
)
def test_the_answer_comes_first_unless_it_needs_what_is_before(answer: str, following: str, expected: str) -> None:
    before = "A long and quite boring report follows here for everyone. Clouds had gathered since noon."
    config = GrowConfig(min_words=7, max_words=10, share=1)
    assert grow(f"{before} {answer} {following}", answer, config, 3, "r").text == expected


def test_a_fragment_is_completed_to_its_sentence_even_where_it_is_not_grown() -> None:
    document = "We take care. We may share your name, unless you object, with our partners. Write to us."
    grown = grow(document, "share your name, unless", GrowConfig(share=0), 1, "r")
    assert grown.text == "We may share your name, unless you object, with our partners."
    assert grown.derived


def test_what_is_not_copied_stays_as_it_is() -> None:
    grown = grow("Owls hunt at night.", "Owls are hunters.", EVERY, 1, "r")
    assert (grown.text, grown.span, grown.derived) == ("Owls are hunters.", None, False)


def test_long_answers_stay_as_they_are_and_so_does_a_part_of_an_endless_sentence() -> None:
    long = sentence(50, "long")
    grown = grow(f"Here is one. {long} Here is another.", long, EVERY, 1, "r")
    assert (grown.text, grown.derived) == (long, False)
    endless = sentence(300, "endless")
    assert not grow(endless, "endless5 endless6", EVERY, 1, "r").derived


@pytest.mark.parametrize(
    "title",
    ["Norway - Bronze Age.", "Rules of the House (a series) - Major and minor characters in it.", "Remittance."],
)
def test_titles_and_headings_are_not_grown_into(title: str) -> None:
    answer, after = "Settlers came from the south.", sentence(30, "after")
    assert grow(f"{title} {answer} {after}", answer, EVERY, 1, "r").text == f"{answer} {after}"
    inside = f"{sentence(30, 'before')} Norway. {answer} {after}"
    assert grow(inside, answer, EVERY, 1, "r").text == f"{answer} {after}"


def test_a_share_is_grown_and_lengths_differ() -> None:
    document = " ".join(sentence(9, f"s{i}x") for i in range(20))
    target = sentence(9, "s10x")
    texts = [grow(document, target, GrowConfig(share=0.5), 1, str(i)).text for i in range(200)]
    assert 70 < sum(text == target for text in texts) < 130
    assert len({len(text.split()) for text in texts if text != target}) >= 4
