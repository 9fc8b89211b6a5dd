"""The one writer of reports."""

import json
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from querygist.evaluation.report_files import bounds, number, table, write
from querygist.evaluation.rouge import Interval


@dataclass
class Found:
    rows: int
    means: tuple[float, ...]


def test_a_report_is_text_numbers_and_pictures(tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    sections = ["# Title", table(("system", "rows"), [("a", 1), ("b", None)])]
    path = write(tmp_path / "new", "found", sections=sections, data=Found(2, (1.5,)), figures={"line": figure})
    assert path.read_text() == "# Title\n\n| system | rows |\n| --- | ---: |\n| a | 1 |\n| b | - |\n"
    assert json.loads((tmp_path / "new/found.json").read_text()) == {"rows": 2, "means": [1.5]}
    assert (tmp_path / "new/line.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(file.name for file in path.parent.iterdir()) == ["found.json", "found.md", "line.png"]


def test_the_same_report_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        figure = Figure()
        figure.subplots().plot([1, 2])
        write(tmp_path / name, "found", sections=["text"], data={"a": 1}, figures={"line": figure})
    for file in ("found.md", "found.json", "line.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_numbers_and_intervals() -> None:
    assert (number(None), number(1.25, 1, "+"), number(2.0, 0)) == ("-", "+1.2", "2")
    assert (bounds(None), bounds(Interval(1.0, 0.5, 1.5, 3), 1)) == ("-", "1.0 [0.5, 1.5]")
