"""pytest tests/unit/training/generate/test_unsupported_facts.py"""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from querygist.errors import UnprocessableText
from querygist.text.cleaning import clean_document
from querygist.text.sentences import sentence_spans
from training.generate.numerals import numbers
from training.generate.unsupported_facts import unsupported_facts

DOCUMENT = (
    "Albert Einstein's theory appeared in 1905. The U.S. population is 330 million; COVID-19 killed 1,200 "
    "people in New York. Beyoncé sang for an hour and a half. Wi-Fi and e-mail were used by the Americans. Two hundred "
    "thousand came. H5N1 spread. It cost $2.5bn, or ½ of it. He lived from 3.14.1879 to 1955."
)


@pytest.mark.parametrize(
    "text",
    [
        "In 1905, the theory of EINSTEIN appeared.",
        "Einstein’s theory, for Einsteins.",
        "Some 1200 or 1 200 or 1.200 died of Covid-19, or covid 19, or of COVID19.",
        "The US has 330,000,000 people, and 0.33 billion in all.",
        "It took WiFi, Wifi, and Email.",
        "An American heard Beyonce.",
        "There came 200,000 of them, 200k, or 0.2 million.",
        "The bill was $2,500 million, or 2,500,000,000, and 0.5 of the sum.",
        "He was born in 1879, on 3.14.1879.",
        "The virus H5N1 spread, as I and I'm told. That is what THE paper says.",
        "They say: One of them was first. A second later, Two hundred thousand came.",
        "1. Einstein came.\n2. Beyoncé sang: 3. They used e-mail.",
        "He is J. Einstein.",
    ],
)
def test_a_fact_in_another_spelling_is_supported(text: str) -> None:
    assert unsupported_facts(text, DOCUMENT) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The theory of Newton appeared in 1906, Newton said.", ["Newton", "1906"]),
        ("Albert Newton wrote it.", ["Newton"]),
        ("It killed 1,201 people, 120 of them, or 12,000.", ["1,201", "120", "12,000"]),
        ("It killed 1.2 people.", ["1.2"]),
        ("The virus H1N1, NASA and B12 spread.", ["H1N1", "NASA", "B12"]),
        ("NASA said so.", ["NASA"]),
        ("There were 330 billion, three hundred, and thirty-five.", ["330 billion", "three hundred", "thirty-five"]),
        ("It was ¾ of 5 million in 3.14.1880.", ["¾", "5 million", "3.14.1880"]),
        ("In Los Angeles, the WHO and iOS.", ["Los", "Angeles", "WHO", "iOS"]),
        ("It has 7. Then 8) more.", ["7", "8"]),
        ("Sie kam aus Köln, in ١٢٣ Jahren.", ["Koln", "١٢٣", "Jahren"]),
    ],
)
def test_what_it_does_not_say_is(text: str, found: list[str]) -> None:
    assert unsupported_facts(text, DOCUMENT) == found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two hundred thousand and twenty-five", ["200025"]),
        ("one million two hundred thousand five", ["1200005"]),
        ("a hundred and five", ["105"]),
        ("the twenty-first and the 2nd", ["21", "2"]),
        ("nineteen ninety", ["19", "90"]),
        ("two and three", ["2", "3"]),
        ("in 2019 200 people", ["2019", "200"]),
        ("1,00,000 or 1'000 or 1 000 000", ["100000", "1000", "1000000"]),
        ("1,234.5 and 1.234,5 and 1,5", ["1234.5", "1234.5", "1.5"]),
        ("1.5 million, 20 five", ["1500000", "20", "5"]),
        ("007, 0.50, ٣", ["7", "0.5", "3"]),
        ("B12 and one at first", []),
    ],
)
def test_numbers_are_worth(text: str, values: list[str]) -> None:
    assert [one.readings for one in numbers(text) if not one.ambiguous] == [{Decimal(value)} for value in values]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("1.000", {Decimal(1000), Decimal(1)}),
        ("5m", {Decimal(5), Decimal(5_000_000)}),
        ("3.14.2020", {"3.14.2020"}),
        ("1.2.3,4", {"1.2.3,4"}),
    ],
)
def test_some_numbers_have_two_readings_and_some_are_no_value(text: str, readings: set[object]) -> None:
    assert [one.readings for one in numbers(text)] == [readings]


PIECES = st.sampled_from(
    [
        "Einstein",
        "NASA",
        "the",
        "The",
        "B12",
        "12",
        "1,000",
        "1",
        "000",
        "1.5",
        "million",
        "hundred",
        "two",
        "Two",
        "and",
        "twenty",
        "-",
        "five",
        "½",
        "3.14.2020",
        "5m",
        "U.S.",
        "Wi-Fi",
        "COVID-19",
        "COVID19",
        "O’Neil's",
        ".",
        "!",
        "?",
        ":",
        "“",
        "”",
        "(",
        ")",
        "。",
        "1.",
        "2)",
        "…",
        "é",
        "ﬁ",
        "İ",
        "ß",
        "١٢",
        "e.g.",
        "Dr.",
        "\n",
        " ",
    ]
)
MESSY = st.lists(PIECES, max_size=30).map(" ".join) | st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60)


@given(text=MESSY, data=st.data())
@example(text="They were two\nhundred\nthousand.", data=None)
@example(text="In 1.\n000 came B12.5", data=None)
def test_whole_sentences_of_the_document_have_nothing_invented(text: str, data: st.DataObject | None) -> None:
    try:
        document = clean_document(text, content_type="text/plain").text
    except UnprocessableText:
        return
    spans = sentence_spans(document)
    for first in range(len(spans)) if data is None else [data.draw(st.integers(0, len(spans) - 1))]:
        for last in range(first, len(spans)):
            assert unsupported_facts(document[spans[first][0] : spans[last][1]], document) == []


@given(st.integers(2, 10**12), MESSY)
def test_a_number_is_the_same_in_every_notation(value: int, text: str) -> None:
    for written in (str(value), f"{value:,}", f"{value:_}".replace("_", " ")):
        said = f"It is {written} in all."
        assert unsupported_facts(said, "Owls hunt at night.") == [written]
        assert unsupported_facts(said, f"Owls hunt {value:,} at night, {text}") == []
