"""Windows over long pages, and scores put together."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.reader.windows import Window, WindowScores, merged, readable, windows
from tests.unit.reader.fixtures import WORDS, encoder

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
paths = st.lists(st.sampled_from(WORDS), max_size=2).map(tuple)
pages = st.lists(st.tuples(texts, paths), min_size=1, max_size=40)
Page = list[tuple[str, tuple[str, ...]]]


def split(page: Page) -> tuple[list[str], list[tuple[str, ...]]]:
    return [text for text, _ in page], [path for _, path in page]


@given(texts, pages, st.integers(24, 64))
def test_windows_cover_every_unit_in_order(query: str, page: Page, most: int) -> None:
    found = windows(encoder(most), query, *split(page))
    assert sorted({index for window in found for index in window.units}) == list(range(len(page)))
    for window in found:
        assert list(window.units) == list(range(window.units[0], window.units[-1] + 1))
        assert len(window.input.ids) <= most
        assert len(window.units) == len(window.input.places)


@given(texts, pages)
def test_neighbouring_windows_share_half_their_units(query: str, page: Page) -> None:
    found = windows(encoder(48), query, *split(page))
    for before, after in pairwise(found):
        shared = len(set(before.units) & set(after.units))
        assert abs(shared - len(before.units) / 2) <= 1


@given(texts, pages, st.data())
def test_only_chosen_units_are_in_windows(query: str, page: Page, data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.sampled_from(range(len(page))))))
    found = windows(encoder(48), query, *split(page), chosen)
    assert sorted({index for window in found for index in window.units}) == chosen


def test_unit_longer_than_a_window_is_left_out() -> None:
    found = windows(encoder(16), "why", ["moon", "moon " * 20, "sun"], [(), (), ()])
    assert [window.units for window in found] == [(0,), (2,)]


def test_headings_of_every_unit_are_read_up_to_a_bound() -> None:
    count = 1500
    headings = [("moon " * 30, "sun " * 30) if number % 2 else ("is " * 30,) for number in range(count)]
    chosen = readable(encoder(), ["cold"] * count, headings, range(count))
    found = windows(encoder(), "why", ["cold"] * count, headings, chosen)
    assert sum(len(window.input.ids) for window in found) <= 6000


@given(pages, st.integers(1, 200))
def test_readable_units_are_the_first_that_fit(page: Page, most: int) -> None:
    units, headings = split(page)
    order = sorted(range(len(page)), key=lambda index: units[index])
    chosen = readable(encoder(), units, headings, order, most)
    assert chosen == sorted(order[: len(chosen)])
    assert sum(len(units[index].split()) + 1 for index in chosen) <= most


def test_short_page_is_read_whole_whatever_the_order() -> None:
    assert readable(encoder(), ["moon", "sun", "is"], [("a",), ("a",), ()], [2, 0, 1]) == [0, 1, 2]


def window(*units: int) -> Window:
    return Window(encoder().encode("why", ["moon"] * len(units), [()] * len(units)), units)


def test_unit_in_two_windows_has_the_mean_and_a_page_the_best() -> None:
    found = merged(
        4,
        [
            (window(0, 1), WindowScores([1.0, 2.0], [0.1, 0.2], -3.0)),
            (window(1, 3), WindowScores([4.0, 5.0], [0.4, 0.5], 2.0)),
        ],
    )
    assert found.units == pytest.approx([1.0, 3.0, math.nan, 5.0], nan_ok=True)
    assert found.similarities == pytest.approx([0.1, 0.3, math.nan, 0.5], nan_ok=True)
    assert found.page == 2.0


def test_nothing_read_is_nan_and_no_page() -> None:
    found = merged(2, [])
    assert np.isnan(found.units).all()
    assert found.page == -math.inf
