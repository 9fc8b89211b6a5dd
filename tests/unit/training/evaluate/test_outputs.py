"""Outputs survive a stop, and those of another model are not taken for them."""

from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from tests.unit.training.evaluate.example_fixtures import example
from training.evaluate.outputs import Outputs
from training.generate.generator import Generated

FROM = {"model": "1", "test": "2"}
ALL = [example(id_) for id_ in "abcd"]
FIRST = Generated("Ü “owls”\u2028hunt.", answerable=True, tokens=7, passes=3, seconds=0.25)
REFUSED = Generated("", answerable=False)


def test_written_outputs_are_kept_and_the_rest_is_missing(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "new", "sft", FROM)
    assert outputs.missing(ALL) == ALL
    outputs.append(ALL[2], FIRST)
    outputs.append(ALL[0], REFUSED)
    assert outputs.missing(ALL) == [ALL[1], ALL[3]]
    again = Outputs(tmp_path / "new", "sft", dict(reversed(FROM.items())))
    assert again.found == {"c": FIRST, "a": REFUSED}
    assert again.missing(ALL) == [ALL[1], ALL[3]]


def test_each_output_is_on_disk_at_once(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, "sft", FROM)
    for count, one in enumerate(ALL, 1):
        outputs.append(one, FIRST)
        assert len(outputs.path.read_bytes().split(b"\n")) == count + 1


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_is_written_again(tmp_path: Path, cut: int) -> None:
    outputs = Outputs(tmp_path, "sft", FROM)
    outputs.append(ALL[0], REFUSED)
    outputs.append(ALL[1], FIRST)
    outputs.path.write_bytes(outputs.path.read_bytes()[:-cut])  # may end inside of a character
    again = Outputs(tmp_path, "sft", FROM)
    assert again.missing(ALL) == ALL[1:]
    again.append(ALL[1], FIRST)
    assert Outputs(tmp_path, "sft", FROM).found == {"a": REFUSED, "b": FIRST}


def test_outputs_of_another_model_are_kept_apart(tmp_path: Path) -> None:
    Outputs(tmp_path, "sft", FROM).append(ALL[0], FIRST)
    assert Outputs(tmp_path, "sft", FROM | {"model": "3"}).missing(ALL) == ALL
    assert Outputs(tmp_path, "dpo", FROM).missing(ALL) == ALL
    assert Outputs(tmp_path, "sft", FROM).missing(ALL) == ALL[1:]


def test_an_example_has_one_output(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, "sft", FROM)
    outputs.append(ALL[0], FIRST)
    with pytest.raises(ValueError, match="has an output for a already"):
        outputs.append(ALL[0], FIRST)


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"id": "a"}', '{"text": "", "answerable": true}', '{"id": "a", "x": 1}']
)
def test_another_file_is_refused_by_name(tmp_path: Path, line: str) -> None:
    path = Outputs(tmp_path, "sft", FROM).path
    path.write_text(line + "\n")
    with pytest.raises(ConfigurationError, match=path.name):
        Outputs(tmp_path, "sft", FROM)
