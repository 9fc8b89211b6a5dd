"""Rows to measure with."""

from pathlib import Path

import pytest

from querygist.errors import ConfigurationError
from querygist.evaluation.rows import BUILT_IN, rows
from tests.conftest import REPOSITORY


def test_the_built_in_rows_are_inside_of_the_package() -> None:
    """So that they are in the wheel."""
    assert BUILT_IN.is_relative_to(REPOSITORY / "tests")
    assert len(rows()) == 40
    assert rows(limit=3) == rows()[:3]


def test_any_file_with_the_two_fields_will_do(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"query": "q", "document": "one\u2028two", "id": 7}\n{"query": "r", "document": "d"}\n')
    assert rows(path) == [{"query": "q", "document": "one\u2028two", "id": 7}, {"query": "r", "document": "d"}]


@pytest.mark.parametrize("line", ["", "[]", '{"query": "q"}', '{"query": "q", "document": 7}'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"query": "q", "document": "d"}}\n{line}\n')
    with pytest.raises(ConfigurationError) as caught:
        rows(path)
    assert f"{path}:2 is not a row" in caught.value.detail
    with pytest.raises(ConfigurationError, match="No such file"):
        rows(tmp_path / "nowhere")
