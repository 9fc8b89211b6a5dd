"""The log of an A/B test: CSV or Parquet with one row for what an arm showed at one position on one day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pyarrow import csv, parquet
from pydantic import BaseModel, Field, ValidationError

from querygist.errors import ConfigurationError, UnprocessableText
from querygist.text.cleaning import clean_query
from training.data.raw_dataset import raise_for_bad_rows
from training.preferences.pairs import clean

_BLOCK = 1 << 26  # bytes: a row must fit in, with its document
_ROWS = 10_000  # at once as Python objects

Text = Annotated[str, Field(min_length=1)]


class _Line(BaseModel):
    """A row as it stands there, counts and days as text or as what they are. Other columns are ignored."""

    arm: Text
    summary: Text
    query: Text
    document: Text
    position: Annotated[int, Field(ge=1)]
    day: date
    impressions: Annotated[int, Field(ge=0)]
    clicks: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Count:
    """How often an arm showed its summary of a document for a query, at this position (from 1) on this day, and how
    many of these impressions were clicked. Texts are clean, as `querygist.text.cleaning` makes them.
    """

    arm: str
    summary: str
    query: str
    document: str
    position: int
    day: date
    impressions: int
    clicks: int


def read(files: Sequence[Path]) -> list[Count]:
    """All rows of .csv (also compressed, as .csv.gz) and .parquet files.

    Raises ConfigurationError with one line for each bad row (file, row counted from 1, column, what is wrong) after all
    rows have been looked at.
    """
    counts: list[Count] = []
    wrong: list[str] = []
    clean_once = cache(clean)  # a document stands in many rows
    for file in files:
        for number, row in enumerate(_rows(file), 1):
            try:
                line = _Line.model_validate(row)
                if line.clicks > line.impressions:
                    raise ValueError(f"clicks: {line.clicks} of {line.impressions} impressions")
                counts.append(
                    Count(
                        line.arm,
                        clean_once("summary", line.summary),
                        _query(line.query),
                        clean_once("document", line.document),
                        line.position,
                        line.day,
                        line.impressions,
                        line.clicks,
                    )
                )
            except ValidationError as error:
                items = error.errors(include_url=False, include_input=False)
                told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in items)
                wrong.append(f"{file}: row {number}: {told}")
            except ValueError as error:
                wrong.append(f"{file}: row {number}: {error}")
    raise_for_bad_rows(wrong, len(wrong) + len(counts))
    return counts


def _query(text: str) -> str:
    try:
        return clean_query(text)
    except UnprocessableText as error:
        raise ValueError(f"query: {error.detail}") from error


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    columns = list(_Line.model_fields)
    try:
        table = parquet.read_table(file) if file.suffix == ".parquet" else _read_csv(file)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the click log {file}: {error.strerror or 'it is damaged, or no Parquet'}."
        ) from error
    except pa.ArrowInvalid as error:  # its message may quote the file
        raise ConfigurationError(f"The click log {file} is neither Parquet nor CSV in UTF-8.") from error
    if missing := [name for name in columns if name not in table.column_names]:
        raise ConfigurationError(
            f"The click log {file} has no column {', '.join(missing)}. It needs {', '.join(columns)}."
        )
    for batch in table.select(columns).to_batches(max_chunksize=_ROWS):
        yield from batch.to_pylist()


def _read_csv(file: Path) -> pa.Table:
    """All columns as text. Raises ConfigurationError where rows are not as wide as the header."""
    ragged: list[str] = []

    def refuse(row: csv.InvalidRow) -> str:
        ragged.append(f"{file}: line {row.number}: {row.actual_columns} columns, the header has {row.expected_columns}")
        return "skip"

    table = csv.read_csv(
        file,
        read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),  # without threads, rows have numbers
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(_Line.model_fields, pa.string())),
    )
    raise_for_bad_rows(ragged, len(ragged) + table.num_rows)
    return table
