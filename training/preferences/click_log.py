"""The log of an A/B test: CSV or Parquet with one row for what an arm showed at one position on one day."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pyarrow import csv, parquet
from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from querygist.errors import ConfigurationError
from training.data.jsonl import Document, Query, Text, cleaned, describe, raise_for_bad_rows

_BLOCK = 1 << 26  # bytes: a row must fit in, with its document
_ROWS = 10_000  # at once as Python objects


@dataclass(frozen=True, slots=True)
class Count:
    """Impressions and clicks of an arm's summary of a document for a query, at this position (from 1) on this day.

    Texts become clean, as `querygist.text.cleaning` makes them; counts and days may come as text.
    """

    arm: Text
    summary: Annotated[Text, cleaned("summary")]
    query: Query
    document: Document
    position: Annotated[int, Field(ge=1)]
    day: date
    impressions: Annotated[int, Field(ge=0)]
    clicks: Annotated[int, Field(ge=0)]

    @field_validator("clicks")
    @classmethod
    def _of_impressions(cls, clicks: int, info: ValidationInfo) -> int:
        shown = info.data.get("impressions", clicks)
        if clicks > shown:
            raise PydanticCustomError("clicks", "{clicks} of {shown} impressions", {"clicks": clicks, "shown": shown})
        return clicks


_COLUMNS = [field.name for field in fields(Count)]
_COUNT = TypeAdapter(Count)


def read(files: Sequence[Path]) -> list[Count]:
    """Return all rows of .csv (also compressed, as .csv.gz) and .parquet files; other columns are ignored.

    Raises ConfigurationError with one line for each bad row (file, row counted from 1, column, what is wrong) after all
    rows have been looked at.
    """
    counts: list[Count] = []
    wrong: list[str] = []
    for file in files:
        for number, row in enumerate(_rows(file), 1):
            try:
                counts.append(_COUNT.validate_python(row))
            except ValidationError as error:
                wrong.append(f"{file}: row {number}: {describe(error)}")
    raise_for_bad_rows(wrong, len(wrong) + len(counts))
    return counts


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        table = parquet.read_table(file) if file.suffix == ".parquet" else _read_csv(file)
    except OSError as error:
        reason = error.strerror or "it is damaged, or no Parquet"
        raise ConfigurationError(f"Cannot read the click log {file}: {reason}.") from error
    except pa.ArrowInvalid as error:  # its message may quote the file
        raise ConfigurationError(f"The click log {file} is neither Parquet nor CSV in UTF-8.") from error
    if missing := [name for name in _COLUMNS if name not in table.column_names]:
        raise ConfigurationError(
            f"The click log {file} has no column {', '.join(missing)}. It needs {', '.join(_COLUMNS)}."
        )
    for batch in table.select(_COLUMNS).to_batches(max_chunksize=_ROWS):
        yield from batch.to_pylist()


def _read_csv(file: Path) -> pa.Table:
    """Read all columns as text. Raises ConfigurationError where rows are not as wide as the header."""
    ragged: list[str] = []

    def skip(row: csv.InvalidRow) -> str:
        ragged.append(f"{file}: line {row.number}: {row.actual_columns} columns, the header has {row.expected_columns}")
        return "skip"

    table = csv.read_csv(
        file,
        read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),  # without threads, rows have numbers
        parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string())),
    )
    raise_for_bad_rows(ragged, len(ragged) + table.num_rows)
    return table
