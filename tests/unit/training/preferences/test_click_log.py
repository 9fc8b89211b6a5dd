"""pytest tests/unit/training/preferences/test_click_log.py"""

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from querygist.errors import ConfigurationError
from training.preferences.click_log import Count, read


def row(**fields: Any) -> dict[str, Any]:
    return {
        "arm": "A",
        "summary": "Owls hunt at  night.",
        "query": "why do\nowls hunt",
        "document": 'Owls hunt at night, "as we know".\n\nTheir eyes are large.',
        "position": 2,
        "day": date(2026, 1, 31),
        "impressions": 100,
        "clicks": 7,
        "country": "fi",
    } | fields


def written(path: Path, *rows: dict[str, Any]) -> Path:
    table = pa.Table.from_pylist(list(rows))
    (parquet.write_table if path.suffix == ".parquet" else csv.write_csv)(table, path)
    return path


def test_csv_and_parquet_are_the_same_log(tmp_path: Path) -> None:
    rows = row(), row(arm="B", summary="Their eyes are large.", clicks=0)
    plain, columns = written(tmp_path / "a.csv", *rows), written(tmp_path / "a.parquet", *rows)
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = read([plain])
    assert found == read([columns]) == read([packed])
    assert found[0] == Count(
        arm="A",
        summary="Owls hunt at night.",
        query="why do owls hunt",
        document='Owls hunt at night, "as we know".\n\nTheir eyes are large.',
        position=2,
        day=date(2026, 1, 31),
        impressions=100,
        clicks=7,
    )
    assert read([plain, columns]) == found * 2


def test_parquet_days_and_counts_may_be_text_or_time(tmp_path: Path) -> None:
    texts = row(day="2026-01-31", position="2", impressions="100", clicks="7")
    times = pa.Table.from_pylist([row()]).set_column(5, "day", pa.array([date(2026, 1, 31)]).cast(pa.timestamp("ms")))
    parquet.write_table(times, tmp_path / "times.parquet")
    assert read([written(tmp_path / "a.parquet", texts)]) == read([tmp_path / "times.parquet"])
    assert read([tmp_path / "times.parquet"])[0].day == date(2026, 1, 31)


def test_bad_rows_are_reported_by_row_and_column_without_text(tmp_path: Path) -> None:
    texts = {name: str(value) for name, value in row().items()}
    bad = (
        ({"position": "0"}, "position: Input should be greater than or equal to 1"),
        ({"clicks": "101"}, "clicks: 101 of 100 impressions"),
        ({"impressions": "many"}, "impressions: Input should be a valid integer"),
        ({"day": "yesterday"}, "day: Input should be a valid date"),
        ({"clicks": None}, "clicks: Input should be a valid integer"),
        ({"query": ""}, "query: String should have at least 1 character"),
        ({"query": "\u200b"}, "query: The query is empty"),
        ({"summary": "\u200b"}, "summary: The summary is empty"),
        ({"clicks": "-1"}, "clicks: Input should be greater than or equal to 0"),
    )
    path = written(tmp_path / "log.csv", texts, *(texts | fields for fields, _ in bad))
    with pytest.raises(ConfigurationError) as raised:
        read([path])
    told = raised.value.detail.splitlines()
    assert told[0] == "9 of 10 rows cannot be used. Mend or remove them:"
    for number, (text, (_, said)) in enumerate(zip(told[1:], bad, strict=True), 2):
        assert text.startswith(f"{path}: row {number}: {said}")
    assert "owls" not in raised.value.detail


def test_rows_that_are_not_as_wide_as_the_header(tmp_path: Path) -> None:
    path = written(tmp_path / "log.csv", row())
    with path.open("a") as file:
        file.write("secret,row\n")
    with pytest.raises(ConfigurationError, match="2 columns, the header has 9") as raised:
        read([path])
    assert "secret" not in raised.value.detail
    assert f"{path}: line " in raised.value.detail


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_files_that_are_no_log(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigurationError, match="Cannot read the click log"):
        read([path])
    without = row()
    del without["arm"], without["day"]
    with pytest.raises(ConfigurationError, match=r"no column arm, day\. It needs arm, summary"):
        read([written(path, without)])
    path.write_bytes(b"secret\xff\n\x00,\n")
    with pytest.raises(ConfigurationError) as raised:
        read([path])
    assert "secret" not in raised.value.detail
    path.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="is neither Parquet nor CSV"):
        read([path])
