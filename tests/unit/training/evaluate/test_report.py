"""The report says what was measured; its numbers are checked by hand."""

import json
from pathlib import Path

import pytest

from querygist.engines.base import Identity
from tests.unit.training.evaluate.example_fixtures import measured
from training.evaluate.measures import Measured
from training.evaluate.report import JSON, Report, build, write

STUDENT = Identity("gist", "3", "0" * 64, "abcdef012345" + "0" * 52, "1" * 64, "v2", 10, 2, 896, 192, "int8")


def systems() -> dict[str, list[Measured]]:
    """Of equal values the intervals are the values: nothing in the report is left to chance."""
    return {
        "fallback": [measured(id_, rouge=40, words=8) for id_ in "ab"],
        "sft": [
            *(
                measured(id_, rouge=60, words=12, invented=1, tokens=30, passes=10, seconds=0.2, sentence_f1=60)
                for id_ in "ab"
            ),
            measured("c", kind="hard", answered=False, tokens=6, passes=5, seconds=0.2),
            measured("d", kind="unrelated", source="other", tokens=1, passes=1, seconds=0.2),
        ],
    }


@pytest.fixture
def report() -> Report:
    commands = ["python -m training evaluate --config x.yaml"]
    return build(systems(), controls=["fallback", "BM25 set"], models={"sft": STUDENT}, commands=commands, seed=1)


ROWS = """\
    python -m training evaluate --config x.yaml
| sft | gist | 3 | abcdef012345 | v2 | int8 |
### made
| fallback | 2 | 40.0 [40.0, 40.0] | 20.0 [20.0, 20.0] | 10.0 [10.0, 10.0] | 8.0 | 12.0 |
| sft | 2 | 60.0 [60.0, 60.0] | 30.0 [30.0, 30.0] | 15.0 [15.0, 15.0] | 12.0 | 12.0 |
## Sentences
| made | fallback | 2 | 40.0 [40.0, 40.0] | 100.0 [100.0, 100.0] | 80.0 [80.0, 80.0] |
| made | sft | 2 | 30.0 [30.0, 30.0] | 100.0 [100.0, 100.0] | 60.0 [60.0, 60.0] |
## Length and faithfulness
| made | fallback | 10.0 | 8.0 [8.0, 8.0] | 0.80 [0.80, 0.80] | 0.0 % (0/2) | 0.200 [0.200, 0.200] | 0.500 [0.500, 0.500] | 0.0 % (0/2) |
| made | sft | 10.0 | 12.0 [12.0, 12.0] | 1.20 [1.20, 1.20] | 100.0 % (2/2) | 0.300 [0.300, 0.300] | 0.500 [0.500, 0.500] | 100.0 % (2/2) |
## Refusals
| fallback | made | - | - | 0.0 % (0/2) | - | 1.000 | - |
| sft | made | - | 100.0 % (1/1) | 0.0 % (0/2) | 1.000 | 1.000 | 1.000 |
| sft | other | 0.0 % (0/1) | - | - | 0.000 | - | - |
| sft | all | 0.0 % (0/1) | 100.0 % (1/1) | 0.0 % (0/2) | 0.667 | 1.000 | 0.800 |
## Speed
| sft | made | 66 | 25 | 2.64 | 3 | 200 | 200 |
| sft | other | 1 | 1 | 1.00 | 1 | 200 | 200 |
| sft | all | 67 | 26 | 2.58 | 4 | 200 | 200 |
## Differences from the best control row
| sft | made | fallback | 2 | +20.0 [+20.0, +20.0] | +10.0 [+10.0, +10.0] | +5.0 [+5.0, +5.0] | -20.0 [-20.0, -20.0] |
| sft | all | fallback | 2 | +20.0 [+20.0, +20.0] | +10.0 [+10.0, +10.0] | +5.0 [+5.0, +5.0] | -20.0 [-20.0, -20.0] |
"""  # noqa: E501


def test_the_tables_hold_the_numbers_in_order(report: Report, tmp_path: Path) -> None:
    lines = write(tmp_path, report).read_text(encoding="utf-8").splitlines()
    place = 0
    for row in ROWS.splitlines():
        assert row in lines[place:], row
        place = lines.index(row, place) + 1


def test_every_row_of_a_table_has_as_many_cells_as_its_header(report: Report, tmp_path: Path) -> None:
    width = 0
    for line in write(tmp_path, report).read_text(encoding="utf-8").splitlines():
        cells = line.count("|")
        if line.startswith("| ---"):
            assert cells == width
        elif width and cells:
            assert cells == width, line
        width = cells


def test_the_json_has_every_number_the_commands_and_the_model(report: Report, tmp_path: Path) -> None:
    write(tmp_path, report)
    found = json.loads((tmp_path / JSON).read_text())
    assert found["commands"] == ["python -m training evaluate --config x.yaml"]
    assert found["models"]["sft"]["adapter_sha256"] == STUDENT.adapter_sha256
    assert found["systems"]["sft"]["made"]["quality"]["rouge"]["rouge2"] == {
        "mean": 30.0,
        "low": 30.0,
        "high": 30.0,
        "rows": 2,
    }
    assert found["systems"]["sft"]["other"]["quality"] is None
    assert found["systems"]["sft"]["all"]["refusals"]["unrelated"] == {"count": 0, "rows": 1, "share": 0.0}
    assert found["controls"] == ["fallback"]
    assert found["differences"]["sft"]["made"]["difference"]["rouge"]["rouge1"]["mean"] == 20.0
    assert list(found["systems"]) == ["fallback", "sft"]


def test_the_same_outputs_give_the_same_files(report: Report, tmp_path: Path) -> None:
    again = build(systems(), controls=["fallback", "BM25 set"], models=report.models, commands=report.commands, seed=1)
    first, second = write(tmp_path / "a", report).parent, write(tmp_path / "b", again).parent
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_plots_are_written_and_the_markdown_shows_them(report: Report, tmp_path: Path) -> None:
    text = write(tmp_path, report).read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "length_rouge2.png", "requested_words.png", "rouge2.png"
    ]  # fmt: skip
    for path in tmp_path.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"({path.name})" in text


def test_a_report_without_any_positive_is_still_one(tmp_path: Path) -> None:
    refusing = {"sft": [measured(kind="hard", answered=False)]}
    found = build(refusing, controls=["sft"], models={}, commands=[], seed=0)
    text = write(tmp_path, found).read_text(encoding="utf-8")
    assert "| sft | made | - | 100.0 % (1/1) | - | - | - | - |" in text


def test_a_control_row_must_be_there() -> None:
    with pytest.raises(ValueError, match="one of the control rows query"):
        build(systems(), controls=["query"], models={}, commands=[], seed=0)
