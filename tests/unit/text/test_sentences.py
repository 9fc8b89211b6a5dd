"""Run with."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from querygist.text.sentences import bounded_spans, first_sentence, sentence_ends, sentence_spans, terms, words

PIECES = [
    *" \n\n.!?…。！」”)[](“„\"'‘’«»「（12aAbé北とกเำส।-•,",
    *(
        "Dr.",
        "U.S.",
        "e.g.",
        "No. 5",
        "[3]",
        " [12] ",
        "Inc. ",
        "am 3. Mai",
        "5 p.m. ",
        "z. B.",
        "I.",
        "1. ",
        ": 2. ",
        "II. ",
    ),
    *(
        "\n\n",
        "\n- ",
        "\n2. ",
        "word " * 12,
        "Word. ",
        "The ",
        "« ",
        " »",
        ". . ",
        "the\n",
        "... I ",
        "Woolf? (1",
        "一" * 30,
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=80)


GOLD = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data/sentence_ends.jsonl").read_text(encoding="utf-8").splitlines()
]


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith met J. K. Rowling in the U.S. Army base.", "They talked."],
        ['He said "Go!" and left.', "(Really?)", "Yes."],
        ["It cost 3.5 dollars...", "Then e.g. Paris vs. London, cf. Rome.", "No. 5 is alive!", "I said no.", "Fine."],
        ["Founded in 1999.[1][12]", "It grew approx. five-fold, ca. 40 % on Jan. 5 alone."],
        ["It opens at 5 p.m.", "Tickets are sold at example.com from 10.30."],
        ["第一句。", "第二句！？", "「第三句？」", "第四句"],
        ["यह वाक्य है।", "यह दूसरा है।"],
        ["ما هذا؟", "هذا كتاب."],
        ["1. First of all.", "2. Second, and last."],
    ],
)
def test_sentences_of_running_text(sentences: list[str]) -> None:
    assert cut(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Introduction\nThe fox jumps.", ["Introduction", "The fox jumps."]),
        ("A paragraph\n \nAnother", ["A paragraph", "Another"]),
        ("Things to buy:\n- bread\n- milk\n2. eggs", ["Things to buy:", "- bread", "- milk", "2. eggs"]),
        (
            "This long line of running text was wrapped by an editor\nLondon is where it goes on\nand ends.",
            ["This long line of running text was wrapped by an editor\nLondon is where it goes on\nand ends."],
        ),
        ("终。没有空格", ["终。", "没有空格"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_lines_and_scripts_without_spaces(text: str, sentences: list[str]) -> None:
    assert cut(text) == sentences


@pytest.mark.parametrize("row", GOLD, ids=lambda row: f"{row['language']}-{row['kind']}")
def test_sentence_ends_of_the_gold_set(row: dict[str, Any]) -> None:
    assert [end for _, end in sentence_spans(row["text"])] == row["ends"]


def test_an_open_quotation_does_not_swallow_the_text() -> None:
    text = 'He said: "It was late. We left. ' + "Nothing else is known. " * 30
    assert len(sentence_spans(text)) == 32


def test_an_end_waits_for_the_quotation_that_is_open_there() -> None:
    assert sentence_ends('He said: "It was late. We') == []
    assert sentence_ends('He said: "It was late. We left." Then') == [32]


def test_a_long_thai_text_is_cut_at_spaces() -> None:
    phrase = "พิพิธภัณฑ์เปิดทุกวันยกเว้นวันจันทร์"
    assert {text.count(phrase) for text in cut(" ".join([phrase] * 12))} == {3}


@pytest.mark.parametrize("text", ["ค่าเข้า" * 30, "👨‍👩‍👧🇩🇪" * 30, "e\u0301" * 90, "क्षि" * 60, "각" * 90])
def test_long_words_are_cut_between_characters_as_seen(text: str) -> None:
    starts = {found.start() for found in regex.finditer(r"\X", text)}
    cuts = [start for start, _ in bounded_spans(text, max_chars=25)]
    assert len(cuts) > 3
    assert set(cuts) <= starts
    assert not any(text[start - 1] in "เแโใไ" for start in cuts[1:])


@given(TEXTS)
def test_spans_are_ordered_trimmed_and_leave_out_blanks_only(text: str) -> None:
    for spans in (sentence_spans(text), bounded_spans(text, max_words=3, max_chars=10)):
        end = 0
        for start, stop in spans:
            assert end <= start < stop
            assert text[start:stop] == text[start:stop].strip()
            assert not text[end:start].strip()
            end = stop
        assert not text[end:].strip()


@given(TEXTS, st.integers(1, 5), st.integers(1, 12))
def test_bounded_spans_keep_their_bounds(text: str, max_words: int, max_chars: int) -> None:
    for start, end in bounded_spans(text, max_words=max_words, max_chars=max_chars):
        assert end - start <= max_chars
        assert len(text[start:end].split()) <= max_words


@given(TEXTS, TEXTS)
def test_a_sentence_end_once_found_stands_whatever_follows(text: str, following: str) -> None:
    found = sentence_ends(text)
    assert sentence_ends(text + following)[: len(found)] == found


@given(TEXTS, TEXTS)
def test_no_end_appears_in_what_is_certainly_one_sentence(text: str, following: str) -> None:
    first = first_sentence(text)
    assert all(end >= len(first.rstrip()) for end in sentence_ends(text + following))


def test_the_end_of_the_last_sentence_is_not_certain() -> None:
    assert sentence_ends("One. Two.") == [4]
    assert sentence_ends("One. Two. T") == [4, 9]


def test_words_of_many_scripts() -> None:
    text = "It’s 3.5 or 10,000, snake_case état-major! हिन्दी 北京 ดี $5 👍🏽."
    found = "|".join(text[start:end] for start, end in words(text))
    assert found == "It’s|3.5|or|10,000|snake|case|état|major|हिन्दी|北|京|ดี|$|5|👍|🏽"


@given(st.text(max_size=60))
def test_words_hold_every_letter_and_digit_once(text: str) -> None:
    spans = words(text)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    inside = {i for start, end in spans for i in range(start, end)}
    assert {i for i, character in enumerate(text) if character.isalnum()} <= inside


def test_terms_are_folded_stemmed_and_rid_of_common_words() -> None:
    assert terms("What are the RUNNING dogs’ names?") == ["run", "dog", "name"]
    assert terms("who is it", common=True) == ["who", "is", "it"]
    assert terms("who is it") == []


def test_long_texts_without_an_end_take_linear_time() -> None:
    """A quadratic rule would take minutes."""
    quoted = ("“a. " * 50_000, "(a. " * 50_000, "(()" * 66_000, "🇩🇪" * 50_000, "x. [1" * 40_000, ". »" * 66_000)
    marks = ("." * 200_000, "。" * 200_000, ".。" * 100_000, "x" + " \n" * 100_000, "「。」" * 66_000, "1. " * 66_000)
    plain = ("a. " * 66_000, "a\n" * 100_000, "x" * 200_000, ". " * 100_000, "[1]" * 66_000, "。」" * 100_000)
    for text in (*quoted, *marks, *plain):
        assert bounded_spans(text)
