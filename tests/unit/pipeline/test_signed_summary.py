"""Summaries that go through a store which others may write to."""

from dataclasses import replace
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.pipeline.signed_summary import SummarySigner
from querygist.pipeline.summary import Cited, Summary
from querygist.schemas import MAX_DOCUMENT

SIGNER = SummarySigner("a secret of at least 32 characters")
CITED = (Cited(0, 4, ((0, 4), (10, 14)), "verbatim"), Cited(5, 14, ((0, 9),), "paraphrase"))
RIGHT = Summary("Owls eat mice.", True, "generative", None, CITED, 1.0, 0.9, prompt_tokens=10, completion_tokens=4)


def cited(start: int, end: int, *sources: tuple[int, int]) -> Cited:
    return Cited(start, end, sources, "verbatim")


def test_a_summary_comes_back_as_it_was() -> None:
    for one in (RIGHT, Summary("", False, "extractive", "asked", (), 0.0)):
        assert SIGNER.read("name", SIGNER.sign("name", one)) == one


@given(st.data())
def test_any_changed_byte_is_noticed(data: Any) -> None:
    value = bytearray(SIGNER.sign("name", RIGHT))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    assert SIGNER.read("name", bytes(value)) is None


@given(st.binary(max_size=80))
def test_bytes_of_others_are_no_summary(value: bytes) -> None:
    assert SIGNER.read("name", value) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"copied": 7.5},
        {"copied": -0.1},
        {"copied": nan},
        {"score": 1.01},
        {"score": -0.01},
        {"prompt_tokens": -1},
        {"completion_tokens": -1},
        {"text": "x" * (4 * MAX_DOCUMENT + 1)},
        {"citations": (cited(-1, 4),)},
        {"citations": (cited(4, 3),)},
        {"citations": (cited(0, 15),)},
        {"citations": (cited(5, 9), cited(0, 4))},
        {"citations": (cited(0, 4, (-3, 4)),)},
        {"citations": (cited(0, 4, (4, 3)),)},
        {"citations": (cited(0, 4, (0, 10**9)),)},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    assert SIGNER.read("name", SIGNER.sign("name", replace(RIGHT, **wrong))) is None
