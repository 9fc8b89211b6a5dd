"""pytest tests/unit/training/data/test_examples.py"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.errors import ConfigurationError
from training.data.examples import Example, read_examples, write_examples
from training.stable_random import between, choose, draw

ONE = Example("a", "made", "why?", "Because\u2028of — this.", "Because.", 40, "positive", derived=True)
OTHER = Example("b", "made", "why?", "Because.", "No.", 5, "hard", derived=False, references=("No.", "Yes."))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_examples(tmp_path / "new" / "some.jsonl", [ONE, OTHER])
    assert read_examples(tmp_path / "new" / "some.jsonl") == [ONE, OTHER]


@pytest.mark.parametrize("text", ["{", "{}", '{"id": "a", "unknown": 1}', "[]"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="Run the data stage"):
        read_examples(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Run the data stage first"):
        read_examples(tmp_path / "none.jsonl")


@given(st.integers(0, 2**64), st.text(max_size=5))
def test_chance_is_fixed_by_its_names(seed: int, name: str) -> None:
    assert 0 <= draw(seed, name) == draw(seed, name) < 1
    assert draw(seed, name) != draw(seed + 1, name)
    assert 3 <= between(3, 5, seed, name) <= 5
    assert choose("abc", seed, name) in "abc"


def test_chance_is_the_same_on_every_machine_and_uniform() -> None:
    assert draw(1, "a", 2) == 0.661864179080601
    draws = [draw(1, i) for i in range(2000)]
    assert 0.48 < sum(draws) / len(draws) < 0.52
    assert {between(1, 6, 1, i) for i in range(200)} == {1, 2, 3, 4, 5, 6}
