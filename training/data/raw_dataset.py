"""Rows of query-driven summarization data, read from JSONL, checked and cleaned."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from querygist.errors import ConfigurationError, UnprocessableText
from querygist.text.cleaning import clean_document, clean_query
from training.stable_random import draw

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

_MOST_SHOWN = 20

Text = Annotated[str, Field(min_length=1)]
M = TypeVar("M", bound=BaseModel)


class _Line(BaseModel):
    """One line of a file, as it stands there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    source: Text
    split: Split | None = None
    query: Text
    document: Text
    summary: Text
    license: str | None = None
    references: Annotated[list[Text], Field(min_length=1)] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A person's answer to a query from a document. Texts are clean, as `querygist.text.cleaning` makes them.

    `references` are all acceptable answers, `summary` alone where the file gives no more.
    """

    id: str
    source: str
    split: Split
    query: str
    document: str
    summary: str
    license: str | None
    references: tuple[str, ...]


def read(files: Sequence[Path], *, seed: int, held_out: float) -> list[Row]:
    """All rows, in the files' order. Rows that name no split are dealt out by their document.

    `held_out` of the documents without a split go to validation, as many to test. Raises ConfigurationError with one
    line for each bad row (file:line, field, what is wrong) after all rows have been looked at.
    """
    rows: list[Row] = []
    wrong: list[str] = []
    places: dict[str, str] = {}
    for file in files:
        for number, line in _lines(file):
            place = f"{file}:{number}"
            try:
                row = _parse(line, seed, held_out)
                if row.id in places:
                    raise ValueError(f"id: {row.id} is the id of {places[row.id]} as well")
            except ValueError as error:
                wrong.append(f"{place}: {error}")
                continue
            places[row.id] = place
            rows.append(row)
    raise_for_bad_rows(wrong, len(wrong) + len(rows))
    if not rows:
        raise ConfigurationError(f"There is no row in {', '.join(map(str, files))}.")
    return rows


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the data file {file}: {error.strerror}. Set data.files to where your rows are."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The data file {file} is not UTF-8 (byte {error.start}).") from error
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def validated(kind: type[M], line: str) -> M:
    """A line of a JSONL file. Raises ValueError, telling the field and never its text."""
    try:
        return kind.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValidationError as error:
        items = error.errors(include_url=False, include_input=False)
        raise ValueError(
            "; ".join(f"{'.'.join(map(str, item['loc'])) or 'row'}: {item['msg']}" for item in items)
        ) from error


def raise_for_bad_rows(wrong: list[str], rows: int) -> None:
    """Raise ConfigurationError with one line for each of the first bad rows of so many `rows`, if there is one."""
    if wrong:
        more = f"\nand {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        shown = "\n".join(wrong[:_MOST_SHOWN])
        raise ConfigurationError(f"{len(wrong)} of {rows} rows cannot be used. Mend or remove them:\n{shown}{more}")


def _parse(line: str, seed: int, held_out: float) -> Row:
    """Raises ValueError, telling the field and never its text."""
    found = validated(_Line, line)
    field = "query"
    try:
        query = clean_query(found.query)
        field = "document"
        document = _clean(found.document)
        field = "summary"
        summary = _clean(found.summary)
        field = "reference"
        references = tuple(_clean(reference) for reference in found.references or [found.summary])
    except UnprocessableText as error:
        # An answer is cleaned as a document is, so that a quote stays one; the message must not name the wrong text.
        raise ValueError(f"{field}: {error.detail.replace('The document', f'The {field}')}") from error
    split = found.split or _deal(document, seed, held_out)
    return Row(found.id, found.source, split, query, document, summary, found.license, references)


def _clean(text: str) -> str:
    return clean_document(text, content_type="text/plain").text


def _deal(document: str, seed: int, held_out: float) -> Split:
    """Rows of one document go together, or the test would leak."""
    chance = draw(seed, "split", document)
    if chance < held_out:
        return "test"
    return "validation" if chance < 2 * held_out else "train"
