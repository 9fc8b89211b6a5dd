"""Run with."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.prompting.detokenizer import Decoder, Detokenizer, Final
from querygist.prompting.templates import NO_ANSWER, Marks
from querygist.prompting.tokenizer import Tokenizer

PIECES = [
    *"abAB .!?\n\u200b\u200d\u202e\ufeff😀é北。」\"", "Dr. ", "U.S. ", " The ", "word ", "Word. ",
    "سلام ", "می\u200cخواهم ", "👩\u200d💻", "e\u0301", NO_ANSWER, NO_ANSWER[:20],
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(st.characters(codec="utf-8"), max_size=60)


class Bytes:
    """A token is a byte: the hardest case for a decoder of streams."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")


def chunks(ids: Sequence[int], cuts: Iterable[int]) -> list[Sequence[int]]:
    return [ids[a:b] for a, b in pairwise([0, *sorted(cuts), len(ids)])]


def run(decoder: Decoder, pieces: Iterable[Sequence[int]], max_words: int, reason: str) -> tuple[list[str], Final]:
    """Like the use case does it: stop when full."""
    detokenizer = Detokenizer(decoder, max_words=max_words)
    pushed = []
    for piece in pieces:
        pushed.append(detokenizer.push(piece))
        if detokenizer.full:
            break
    return pushed, detokenizer.finish("length" if reason == "length" else "stop")


def summary(text: str, *, max_words: int = 60, reason: str = "stop") -> str:
    return run(Bytes(), [Bytes().encode(text)], max_words, reason)[1].text


REASONS = st.sampled_from(["stop", "length"])
CAPS = st.integers(1, 12)


@given(TEXTS, st.data(), CAPS, REASONS)
def test_sent_text_and_tail_are_the_text_in_any_chunking(
    text: str, data: st.DataObject, max_words: int, reason: str
) -> None:
    ids = Bytes().encode(text)
    cuts = data.draw(st.lists(st.integers(0, len(ids)), max_size=len(ids)))
    pushed, final = run(Bytes(), chunks(ids, cuts), max_words, reason)
    assert "".join(pushed) + final.tail == final.text
    assert len(final.text.split()) <= max_words
    assert final.text == " ".join(final.text.split())
    assert final.answerable == bool(final.text)
    one_by_one = run(Bytes(), chunks(ids, range(1, len(ids))), max_words, reason)[1]
    at_once = run(Bytes(), [ids], max_words, reason)[1]
    assert final.text == one_by_one.text == at_once.text


@given(st.binary(max_size=40), CAPS)
def test_bytes_that_are_no_text_are_dropped(noise: bytes, max_words: int) -> None:
    pushed, final = run(Bytes(), [[byte] for byte in noise], max_words, "stop")
    assert "".join(pushed) + final.tail == final.text
    assert "\ufffd" not in final.text


@given(TEXTS, st.data(), CAPS, REASONS)
def test_the_real_vocabulary_streams_the_same(
    tokenizer: Tokenizer, text: str, data: st.DataObject, max_words: int, reason: str
) -> None:
    ids = tokenizer.encode(text)
    cuts = data.draw(st.lists(st.integers(0, len(ids)), max_size=8))
    pushed, final = run(tokenizer, chunks(ids, cuts), max_words, reason)
    assert "".join(pushed) + final.tail == final.text == run(tokenizer, [ids], max_words, reason)[1].text


def test_a_character_is_sent_when_its_last_byte_is_there() -> None:
    pushed, final = run(Bytes(), [[byte] for byte in "é😀".encode()], 9, "stop")
    assert pushed == ["", "é", "", "", "", "😀"]
    assert final == Final("", "é😀", answerable=True)


def test_only_the_first_sentence_streams_as_it_grows() -> None:
    pieces = ["One", " two", ".", " Three", " four", ".", " ", "Five", " six"]
    pushed, final = run(Bytes(), [piece.encode() for piece in pieces], 60, "stop")
    assert pushed == ["One", " two", ".", "", "", "", "", " Three four.", ""]
    assert final.tail == " Five six"


def test_a_full_summary_is_cut_at_a_sentence_or_word_end() -> None:
    assert summary("One two. Three four. Five six seven.", max_words=6) == "One two. Three four."
    assert summary("One two. Three four. Five six seven.", max_words=4) == "One two. Three four."
    assert summary("One two. Three four. Five six seven.", max_words=7) == "One two. Three four. Five six seven."
    assert summary("One two three four five. Six.", max_words=3) == "One two three"
    assert summary("In the U.S. Army there are many. Yes.", max_words=4) == "In the U.S. Army"


def test_full_is_told_once_the_last_word_is_over() -> None:
    detokenizer = Detokenizer(Bytes(), max_words=2)
    for piece, full in [("One", False), (" two", False), (" ", False), ("t", True)]:
        detokenizer.push(piece.encode())
        assert detokenizer.full is full


def test_the_token_limit_drops_an_unfinished_later_sentence() -> None:
    assert summary("One two. Three fo", reason="length") == "One two."
    assert summary("One two. Three four.", reason="length") == "One two. Three four."
    assert summary("One two. Three four", reason="stop") == "One two. Three four"
    assert summary("One two three fo", reason="length") == "One two three fo"


def test_no_answer_is_held_back_and_means_not_answerable() -> None:
    pushed, final = run(Bytes(), [[byte] for byte in f" {NO_ANSWER}\n".encode()], 60, "stop")
    assert set(pushed) == {""}
    assert final == Final("", "", answerable=False)


@pytest.mark.parametrize("max_words", [1, 5, 60])
def test_no_answer_is_recognized_under_any_bound(max_words: int) -> None:
    assert run(Bytes(), [[byte] for byte in NO_ANSWER.encode()], max_words, "length")[1].answerable is False


@pytest.mark.parametrize("text", ["The document does not answer", NO_ANSWER + " It is about owls.", NO_ANSWER.lower()])
def test_what_only_resembles_no_answer_is_a_summary(text: str) -> None:
    pushed, final = run(Bytes(), [[byte] for byte in text.encode()], 60, "stop")
    assert "".join(pushed) + final.tail == final.text == text
    assert final.answerable


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\ufffd"])
def test_nothing_is_no_answer(text: str) -> None:
    assert run(Bytes(), [text.encode()], 60, "stop")[1] == Final("", "", answerable=False)


def test_a_summary_is_one_clean_paragraph() -> None:
    assert summary("\n One\u200b\ttwo \u202e\n\nthree\x07. می\u200cخواهم ") == "One two three. می\u200cخواهم"


@given(TEXTS, TEXTS, st.data(), CAPS)
def test_labels_are_never_sent(first: str, second: str, data: st.DataObject, max_words: int) -> None:
    control, letters = 0xFF, (ord("C"), ord("D"))  # the first is no byte of UTF-8
    text, more = Bytes().encode(first), Bytes().encode(second)
    ids = [control, letters[0], *text, letters[0], control, letters[1], *more]
    cuts = data.draw(st.lists(st.integers(0, len(ids)), max_size=len(ids)))
    labelled = Detokenizer(Bytes(), max_words=max_words, marks=Marks(frozenset({control}), frozenset(letters)))
    plain = Detokenizer(Bytes(), max_words=max_words)
    sent = "".join(labelled.push(piece) for piece in chunks(ids, cuts))
    plain.push([*text, *more])
    final = labelled.finish("stop")
    assert sent + final.tail == final.text == plain.finish("stop").text
