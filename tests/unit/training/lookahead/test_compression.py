"""pytest tests/unit/training/lookahead/test_compression.py"""

import json
from pathlib import Path

import pytest

from querygist.artifact.manifest import Manifest
from tests.conftest import WEIGHTS
from tests.unit.training.evaluate.example_fixtures import example
from training.evaluate.outputs import append_line, spread
from training.lookahead.compression import BATCHES, Compression, Row, compression, speedups
from training.lookahead.decoding import Decoded
from training.lookahead.ngram_pool import Shape
from training.lookahead.report import write
from training.lookahead.sweep import read_decodings

TEXT, WINDOW = Shape(0, 6, 4), Shape(4, 6, 4)
ROWS = [
    Row(True, 200, {TEXT: [1, 6, 3], WINDOW: [1, 6, 3]}, []),
    Row(True, 300, {TEXT: [1, 1, 1, 1]}, []),
    Row(False, 100, {TEXT: [1, 1, 1, 1, 2], WINDOW: [1, 2, 3]}, [WINDOW]),
]


def test_step_compression_and_acceptance_by_hand() -> None:
    assert compression(ROWS[:2], TEXT) == Compression(2, 14 / 7, 12 / 5, (0.4, 0.4, 0.2, 0.2, 0.2))
    assert compression(ROWS, WINDOW) == Compression(2, 16 / 6, 14 / 4, (1.0, 0.75, 0.25, 0.25, 0.25))
    assert compression(ROWS[1:2], WINDOW) is None


def test_the_speedup_grows_with_s_and_shrinks_with_the_batch() -> None:
    found = speedups([TEXT, WINDOW], [ROWS[0], ROWS[2]], 200)
    for gpu in {gpu for gpu, _, _ in found}:
        gains = [found[gpu, batch, WINDOW] for batch in BATCHES]
        assert gains == sorted(gains, reverse=True)
        assert gains[0] <= compression([ROWS[0], ROWS[2]], WINDOW).decoding  # type: ignore[union-attr]
    slower = Row(True, 200, {WINDOW: [1, *[1] * 9]}, [])
    for key, gain in speedups([WINDOW], [slower], 200).items():
        assert gain < found[key]


def test_the_report_says_the_same_in_markdown_and_json(tmp_path: Path) -> None:
    text = write(tmp_path, ROWS, Manifest.load(WEIGHTS)).read_text()
    numbers = json.loads((tmp_path / "lookahead.json").read_text())
    assert (numbers["rows"], numbers["rows_with_windows"]) == (3, 2)
    (one,) = [one for one in numbers["compression"] if (one["shape"], one["group"]) == ([4, 6, 4], "all")]
    assert one["decoding"] == 3.5
    assert "replayed on 3 test rows; with one the model was run on 2 of these, and 1 of 2 outputs" in text
    assert "| 4 | 6 | 4 | 40 | 3.50 | 4.50 | 2.50 | 2.67 |" in text
    assert "| (4,6,4) | all | 100 | 75 | 25 | 25 | 25 |" in text
    assert f"| L20 | (4,6,4) | {numbers_of(numbers, 'L20')} |" in text
    for picture in ("compression.png", "speedup.png"):
        assert (tmp_path / picture).stat().st_size > 5000


def numbers_of(numbers: dict, gpu: str) -> str:  # type: ignore[type-arg]
    gains = [one["speedup"] for one in numbers["speedup"] if (one["gpu"], one["shape"]) == (gpu, [4, 6, 4])]
    assert len(gains) == len(BATCHES)
    return " | ".join(f"{gain:.2f}" for gain in gains)


def test_rows_come_from_the_sources_in_turn() -> None:
    rows = [example(f"{source}{i}", source=source) for source, count in (("a", 5), ("b", 2)) for i in range(count)]
    assert [one.id for one in spread(rows, 6)] == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_what_was_decoded_is_kept_and_half_a_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "decoded.jsonl"
    assert read_decodings(path) == {}
    append_line(path, {"id": "a", "shape": TEXT.numbers, "given": (1, 2), "ids": (1, 2, 3)})
    with path.open("a") as file:
        file.write('{"id": "b", "sha')
    assert read_decodings(path) == {("a", TEXT): Decoded((1, 2, 3), (1, 2))}
    append_line(path, {"id": "b", "shape": WINDOW.numbers, "given": (1,), "ids": (4,)})
    assert read_decodings(path) == {
        ("a", TEXT): Decoded((1, 2, 3), (1, 2)),
        ("b", WINDOW): Decoded((4,), (1,)),
    }


def test_a_shape_of_no_window_needs_no_paired_rows(tmp_path: Path) -> None:
    rows = [Row(True, 100, {TEXT: [1, 6, 3]}, [])]
    assert (
        "with one the model was run on 1 of these, and 0 of 0 outputs"
        in write(tmp_path, rows, Manifest.load(WEIGHTS)).read_text()
    )


@pytest.mark.parametrize("count", [0, 1])
def test_spreading_stops_at_the_count(count: int) -> None:
    assert len(spread([example("a"), example("b")], count)) == count
