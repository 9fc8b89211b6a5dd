"""Pages to inputs, and scores to readings."""

import pytest

from querygist.reader.input_format import LIMITS
from querygist.reader.pages import PageEncoder, PageToRead, readings
from tests.unit.reader.fixtures import tokenizer

ENCODER = PageEncoder(tokenizer(), LIMITS)


def test_units_out_of_the_order_are_not_read() -> None:
    page = PageToRead("why", ["moon", "sun", "is cold"], [(), (), ()], [2, 0])
    windows = ENCODER.windows(page)
    answer = {"units": [[1.0, 2.0]], "similarities": [[0.1, 0.2]], "page": [0.0]}
    (found,) = readings([page], [windows], answer, temperature=2.0)
    assert found.units == (1.0, None, 2.0)
    assert found.similarities == pytest.approx((0.1, None, 0.2))
    assert found.page == 0.5


def test_unit_under_many_long_headings_is_read() -> None:
    path = ["moon " * 40] * 30
    (window,) = ENCODER.windows(PageToRead("why " * 100, ["sun " * 200], [path], [0]))
    assert window.units == (0,)
    assert len(window.input.ids) <= LIMITS.tokens


def test_temperature_makes_a_probability_of_the_logit() -> None:
    page = PageToRead("why", ["moon"], [()], [0])
    answer = {"units": [[1.0]], "similarities": [[0.1]], "page": [3.0]}
    (found,) = readings([page], [ENCODER.windows(page)], answer, temperature=1.5)
    assert found.page == pytest.approx(0.8807970779778823)


def test_page_of_which_nothing_is_read_has_probability_0() -> None:
    (found,) = readings(
        [PageToRead("why", ["moon"], [()], [])], [[]], {"units": [], "similarities": [], "page": []}, temperature=1.0
    )
    assert (found.units, found.page) == ((None,), 0.0)
