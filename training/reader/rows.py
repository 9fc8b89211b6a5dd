"""Rows to train and validate the reader with: people's answers, and pages that people say do not answer."""

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.errors import ConfigurationError
from training.data.jsonl import Document, Query, Text, cleaned
from training.data.raw_dataset import Row, Split

ANSWERS_BY_SOURCE = {"constructed_negatives": "squadshifts_wiki"}
"""Sources whose rows belong to another: a source of negatives only would tell the label by its style."""


class ReaderRow(BaseModel):
    """A query and a page. `answers` are empty where nobody wrote one: `answerable` says what is known of the page."""

    model_config = ConfigDict(frozen=True)

    id: Text
    source: Text
    split: Split = "train"
    query: Query
    document: Document
    title: str | None = None
    answers: tuple[Annotated[Text, cleaned("answer")], ...] = ()
    answerable: bool = True

    def as_row(self) -> Row:
        """Return the row as the miner of negatives takes it."""
        summary = self.answers[0] if self.answers else self.query
        return Row(self.id, self.source, self.split, self.query, self.document, summary, None, self.answers)


@dataclass(frozen=True, slots=True)
class ValidationIds:
    """Ids of rows for choices, and of rows that share too much with them to learn from."""

    rows: frozenset[str]
    excluded: frozenset[str]


def read(files: Iterable[Path]) -> list[ReaderRow]:
    """Return the rows of JSONL files, gzipped or not. Raises ConfigurationError naming the first line that is none."""
    rows: list[ReaderRow] = []
    for file in files:
        try:
            with (
                gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as text
            ):
                lines = text.read().split("\n")
        except OSError as error:
            raise ConfigurationError(f"Cannot read the rows {file}: {error}. Set reader.files to yours.") from error
        for number, line in enumerate(lines, 1):
            if line:
                try:
                    rows.append(_row(json.loads(line)))
                except (ValueError, KeyError) as error:
                    said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                    raise ConfigurationError(f"{file}:{number} is not a row of reader.files: {said}.") from error
    return rows


def without(rows: Sequence[ReaderRow], held_out: Iterable[ReaderRow]) -> list[ReaderRow]:
    """Return the rows whose document none of the held out rows has."""
    documents = {row.document for row in held_out}
    return [row for row in rows if row.document not in documents]


def validation_ids(path: Path) -> ValidationIds:
    """Return the ids of a file that names rows for choices. Raises ConfigurationError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return ValidationIds(frozenset(found["rows"]), frozenset(found["excluded"]))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"Cannot read `rows` and `excluded` in reader.validation_file {path}: {error}."
        ) from error


def _row(found: dict[str, Any]) -> ReaderRow:
    summary = found.get("summary") or ""
    references = found.get("references") or []
    copied = {name: found[name] for name in ("id", "query", "document", "split", "title") if found.get(name)}
    return ReaderRow(
        **copied,
        source=ANSWERS_BY_SOURCE.get(found["source"], found["source"]),
        answers=tuple(dict.fromkeys([summary, *references] if summary else [])),
        answerable=found.get("answerable", True),
    )
