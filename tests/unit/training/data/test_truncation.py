"""pytest tests/unit/training/data/test_truncation.py"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from querygist.engines.base import Identity
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.sentences import bounded_spans
from training.data.truncation import Truncator

LIMIT = 256
QUERY = "what do owls eat"
SENTENCES = [f"Sentence number {i} speaks of {i} owls and {i * 7} mice that nobody has counted." for i in range(60)]
DOCUMENT = " ".join(SENTENCES)


@pytest.fixture(scope="session")
def windows(tokenizer: Tokenizer, identity: Identity) -> Truncator:
    return Truncator(tokenizer, identity.prompt_version, LIMIT, seed=1)


def of_whole_sentences(text: str) -> bool:
    starts, ends = ({span[i] for span in bounded_spans(DOCUMENT)} for i in (0, 1))
    at = DOCUMENT.index(text)
    return at in starts and at + len(text) in ends


def test_a_document_that_fits_is_left_whole(windows: Truncator) -> None:
    short = " ".join(SENTENCES[:3])
    assert windows.fits(QUERY, short, 40)
    assert windows.around(QUERY, short, (0, 5), 40, "r") == short
    assert windows.around_sources(QUERY, short, "mice", 40, "r") == short
    assert windows.anywhere(QUERY, short, 40, "r") == short


@settings(max_examples=40)
@given(st.integers(0, 58), st.integers(1, 2), st.integers(0, 10**6))
def test_window_contains_its_answer_and_is_as_large_as_fits(
    windows: Truncator, at: int, length: int, row_id: int
) -> None:
    answer = " ".join(SENTENCES[at : at + length])
    start = DOCUMENT.index(answer)
    text = windows.around(QUERY, DOCUMENT, (start, start + len(answer)), 40, str(row_id))
    assert text is not None
    assert answer in text
    assert of_whole_sentences(text)
    assert windows.fits(QUERY, text, 40)
    assert not windows.fits(QUERY, f"{text} {SENTENCES[-1]} {SENTENCES[-1]}", 40)


def test_the_answer_stands_anywhere_in_its_window(windows: Truncator) -> None:
    start = DOCUMENT.index(SENTENCES[30])
    found = [windows.around(QUERY, DOCUMENT, (start, start + len(SENTENCES[30])), 40, str(i)) for i in range(40)]
    places = [text.index(SENTENCES[30]) / len(text) for text in found if text is not None]
    assert len(places) == 40
    assert min(places) < 0.2
    assert max(places) > 0.6


def test_an_answer_that_does_not_fit_is_refused(windows: Truncator) -> None:
    assert windows.around(QUERY, DOCUMENT, (0, len(DOCUMENT)), 40, "r") is None


def test_an_answer_in_own_words_keeps_what_it_quotes(windows: Truncator) -> None:
    summary = "It says there are 41 owls and 287 mice, and then speaks of 42 owls and 294 mice."
    text = windows.around_sources(QUERY, DOCUMENT, summary, 40, "r")
    assert SENTENCES[41] in text
    assert SENTENCES[42] in text
    assert of_whole_sentences(text)


@pytest.mark.parametrize(
    "summary", ["Nothing here is quoted.", "speaks of 1 owls and 7 mice; speaks of 59 owls and 413 mice"]
)
def test_scattered_answers_get_the_services_own_passages(windows: Truncator, summary: str) -> None:
    text = windows.around_sources(QUERY, DOCUMENT, summary, 40, "r")
    assert windows.fits(QUERY, text, 40)
    assert all(part in DOCUMENT for part in text.split("\n"))


def test_windows_of_negatives_lie_anywhere(windows: Truncator) -> None:
    texts = [windows.anywhere(QUERY, DOCUMENT, 40, str(i)) for i in range(30)]
    assert all(text and windows.fits(QUERY, text, 40) and of_whole_sentences(text) for text in texts)
    assert len({DOCUMENT.index(text or "") for text in texts}) > 15


def test_no_window_of_a_document_whose_sentences_do_not_fit(windows: Truncator) -> None:
    endless = " ".join(f"word{i}" for i in range(2000))
    cramped = replace(windows, prompt_limit=128)
    assert cramped.anywhere(QUERY, endless, 40, "r") is None
