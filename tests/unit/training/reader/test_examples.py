"""Examples: windows, labels, and their file."""

from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from querygist.reader.input_format import SEP
from tests.unit.reader.fixtures import WORDS, encoder
from tests.unit.training.reader.fixtures import some_examples
from training.reader import examples_file
from training.reader.examples import UNKNOWN, augmented, encode
from training.reader.mixture import Page
from training.reader.units import Unit

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=20), st.integers(0, 19), st.integers(0, 99))
def test_window_of_an_answered_page_holds_an_answer(page: list[str], answer: int, seed: int) -> None:
    units = [Unit(text, place == answer % len(page)) for place, text in enumerate(page)]
    made = encode(Page("1", "s", "why", units, True), "why", units, encoder(), 24, Random(seed))
    assert made is not None
    assert len(made) <= 24
    assert 1 in made.answers
    assert made.page == 1
    assert [made.ids[place] for place in made.places] == [SEP] * len(made.places)


def test_window_that_misses_every_answer_has_no_label() -> None:
    units = [Unit("the moon is cold", False), Unit("stars shine", True)]
    made = encode(Page("1", "s", "why", units, True), "why", units, encoder(), 9, None)
    assert made is not None
    assert made.page == UNKNOWN


def test_unknown_units_and_pages_stay_unknown() -> None:
    units = [Unit("stars shine", None)]
    made = encode(Page("1", "s", "why", units, None), "why", units, encoder(), 99, None)
    assert made is not None
    assert (made.page, made.answers.tolist()) == (UNKNOWN, [UNKNOWN])


def test_augmented_pages_are_the_same_for_a_seed() -> None:
    pages = [Page(str(n), "s", f"why {n}", [Unit("moon is cold", n > 1), Unit("sun", False)], n > 1) for n in range(6)]
    one, other = augmented(pages, encoder(), 1), augmented(pages, encoder(), 1)
    assert [made.ids.tolist() for made in one] == [made.ids.tolist() for made in other]
    assert [made.page for made in one] == [0, 0, 1, 1, 1, 1]


def test_examples_come_back_from_their_file(tmp_path: Path) -> None:
    examples = some_examples(5)
    examples_file.save(examples, tmp_path / "examples.npz")
    for one, other in zip(examples, examples_file.load(tmp_path / "examples.npz"), strict=True):
        assert (one.id, one.source, one.page, one.query, one.texts) == (
            other.id, other.source, other.page, other.query, other.texts,
        )  # fmt: skip
        for name in ("ids", "types", "places", "answers"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
