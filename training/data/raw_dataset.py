"""Rows of query-driven summarization data, read from JSONL, checked and cleaned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from querygist.errors import ConfigurationError
from training.data.jsonl import Document, Query, Text, cleaned, read_rows, validate
from training.stable_random import draw

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class _Line(BaseModel):
    """One line of a file, its texts cleaned."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    source: Text
    split: Split | None = None
    query: Query
    document: Document
    summary: Annotated[Text, cleaned("summary")]
    license: str | None = None
    references: Annotated[list[Annotated[Text, cleaned("reference")]], Field(min_length=1)] | None = None


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
    """Return all rows, in the files' order. Rows that name no split are dealt out by their document.

    `held_out` of the documents without a split go to validation, as many to test. Raises ConfigurationError with one
    line for each bad row.
    """

    def parse(line: str) -> Row:
        found = validate(_Line, line)
        split = found.split or _deal(found.document, seed, held_out)
        references = tuple(found.references or [found.summary])
        return Row(**found.model_dump(exclude={"split", "references"}), split=split, references=references)

    rows = read_rows(files, parse, "data.files")
    if not rows:
        raise ConfigurationError(f"There is no row in {', '.join(map(str, files))}.")
    return rows


def _deal(document: str, seed: int, held_out: float) -> Split:
    """Draw the split of a document: its rows go together, or the test would leak."""
    chance = draw(seed, "split", document)
    if chance < held_out:
        return "test"
    return "validation" if chance < 2 * held_out else "train"
