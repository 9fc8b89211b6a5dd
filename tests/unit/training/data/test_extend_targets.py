"""pytest tests/unit/training/data/test_extend_targets.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.sentences import sentence_spans
from training.data.extend_targets import following, grow, whole_sentences

NEST = "Owls nest in the holes of old trees."


def sentence(words: int, name: str) -> str:
    return " ".join([name.capitalize(), *[f"{name}{i}" for i in range(words - 1)]]) + "."


def grown(document: str, target: str, max_words: int) -> str:
    answer = whole_sentences(document, target)
    assert answer is not None
    return grow(document, answer, max_words)


@given(st.lists(st.integers(3, 45), min_size=1, max_size=12), st.data(), st.integers(5, 100))
def test_targets_are_whole_sentences_up_to_the_limit(lengths: list[int], data: st.DataObject, max_words: int) -> None:
    sentences = [sentence(words, f"s{i}x") for i, words in enumerate([20, *lengths])]  # the first one is no title
    at = data.draw(st.integers(0, len(lengths)))
    document = " ".join(sentences)
    text = grown(document, sentences[at], max_words)
    start = document.index(text)
    spans = sentence_spans(document)
    assert sentences[at] in text
    assert start in {begin for begin, _ in spans}
    assert start + len(text) in {end for _, end in spans}
    assert len(text.split()) <= max_words or text == sentences[at]
    following = next((document[begin:end] for begin, end in spans if begin > start + len(text)), None)
    if following:
        assert len(text.split()) + len(following.split()) > max_words
    assert document[start:].startswith(sentences[at])


def test_a_fragment_is_completed_to_its_sentence() -> None:
    document = "We take care. We may share your name, unless you object, with our partners. Write to us."
    assert grown(document, "share your name, unless", 5).startswith("We may share your name, unless you object")


def test_what_is_not_copied_has_no_sentences() -> None:
    assert whole_sentences("Owls hunt at night.", "Owls are hunters.") is None


def test_targets_do_not_read_on_over_headings() -> None:
    answer, after = "Settlers came from the south.", sentence(30, "after")
    assert grown(f"{sentence(20, 'before')} {answer} Norway. {after}", answer, 60) == answer


def test_an_answer_with_few_changes_is_quoted_as_it_stands() -> None:
    lay = "They lay two or three eggs there each spring."
    document = f"Owls hunt at night, and little is known of it. {NEST} {lay} Rain fell."
    span = whole_sentences(document, "Owls nest in holes of old trees, and lay two or three eggs there each spring.")
    assert span is not None
    assert document[slice(*span)] == f"{NEST} {lay}"
    assert whole_sentences(document, "Old trees give a home to birds that hunt little.") is None


def test_an_answer_put_together_from_all_over_is_no_quote() -> None:
    parts = [sentence(9, f"s{i}x") for i in range(4)]
    assert whole_sentences(" ".join(parts), f"{parts[0]} {parts[3]}") is None


@pytest.mark.parametrize(
    ("document", "summary", "expected"),
    [
        (f"{NEST} Eggs are white.\nRain fell again.", NEST, " Eggs are white."),
        (f"{NEST} Eggs are white.\nRain fell again.", f"{NEST} Eggs are white.", "\nRain fell again."),
        (f"Rain fell. {NEST}", NEST, ""),
        (f"{NEST} Norway. Rain fell on it.", NEST, ""),
        (f"{NEST} Rain fell.", "Owls nest in trees.", ""),
    ],
    ids=["a sentence", "over a line", "at the end", "before a heading", "in own words"],
)
def test_what_follows_a_quote(document: str, summary: str, expected: str) -> None:
    assert following(document, summary) == expected
