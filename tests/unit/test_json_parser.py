"""The parser of bodies accepts what json.loads does, however the text is cut."""

import asyncio
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.api import json_parser
from querygist.errors import InvalidFields, InvalidRequest
from querygist.schemas import MAX_DOCUMENT

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
    VALUES,
    st.booleans(),
    st.none() | st.just(2),
)


def parse(text: str, size: int = 1 << 16) -> Any:
    pieces = iter([text[at : at + size] for at in range(0, len(text), size)])

    async def rest() -> str:
        return next(pieces, "")

    return asyncio.run(json_parser.parse(next(pieces), rest))


@given(TEXTS, st.integers(1, 20))
def test_a_text_in_pieces_is_what_json_makes_of_it(text: str, size: int) -> None:
    assert parse(text, size) == json.loads(text)


@given(
    TEXTS,
    st.integers(0, 10_000),
    st.sampled_from([*'{}[],:"\\ \t\0ae1.-', "\\u12", "NaN", "\ud800"]),
    st.integers(1, 9),
)
def test_a_spoilt_text_is_refused_where_json_refuses_it(text: str, place: int, change: str, size: int) -> None:
    at = place % (len(text) + 1)
    spoilt = text[:at] + change + text[at + 1 :]
    try:
        expected = json.loads(spoilt)
    except ValueError:
        with pytest.raises(InvalidRequest, match="not valid JSON"):
            parse(spoilt, size)
    else:
        assert json.dumps(parse(spoilt, size)) == json.dumps(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" ", "Expecting value at character 1"),
        ('{"a" 1}', "Expecting ':' delimiter at character 5"),
        ('{"a": 1 "b": 2}', "Expecting ',' delimiter at character 8"),
        ('{"a": 1,}', "Expecting property name enclosed in double quotes at character 8"),
        ('{"a": "b', "Unterminated string starting at character 6"),
        ('{"a": "b\nc"}', "Invalid control character at character 8"),
        ('{"a": "\\x"}', "Invalid \\escape at character 7"),
        ("{} {}", "Extra data at character 3"),
        ("[" * 100_000, "Nested deeper than any request"),
        ("9" * 5_001, "too many digits"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_what_is_wrong_is_told_with_its_place(text: str, told: str, size: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(text, size)
    assert told in caught.value.detail


def test_of_two_equal_names_the_last_counts() -> None:
    assert parse('{"a": 1, "a": 2}') == {"a": 2}


def test_lone_surrogates_are_kept_for_validation() -> None:
    assert parse('["\\ud800", "\\ud83d\\ude00"]', 3) == ["\ud800", "😀"]


def test_more_values_than_any_request_are_not_made() -> None:
    text = "[" + "[]," * 1_000_000
    with pytest.raises(InvalidFields) as caught:
        parse(text)
    assert caught.value.errors == [{"field": "body", "message": "has more values than any request; see /docs"}]


@pytest.mark.parametrize("size", [1 << 10, 1 << 16])
@pytest.mark.parametrize("written", ["\\ud83d\\ude00", "\\u00e9", "\\n", "\\\\", "x", "é😀"])
def test_a_string_beyond_any_field_is_not_kept(written: str, size: int) -> None:
    one = json.loads(f'"{written}"')
    times = MAX_DOCUMENT // len(one)
    assert parse(f'"{written * times}"', size) == one * times
    for too_many in (times + 1, 3 * times):
        assert parse(f'["{written * too_many}", 1]', size) == [json_parser.TOO_LONG, 1]


def test_no_more_of_a_string_is_kept_than_any_field_takes() -> None:
    async def parse_too_long() -> int:
        pieces = (part for part in [*range(300), -1])

        async def rest() -> str:
            part = next(pieces, None)
            return "" if part is None else '"' if part < 0 else "x" * (10_000 + part)

        tracemalloc.start()
        assert await json_parser.parse('"', rest) == json_parser.TOO_LONG
        return tracemalloc.get_traced_memory()[1]

    try:
        assert asyncio.run(parse_too_long()) < 2 * MAX_DOCUMENT
    finally:
        tracemalloc.stop()
