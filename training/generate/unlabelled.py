"""Input of the label stage: queries with documents and no summary, checked and each once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from querygist.errors import ConfigurationError
from querygist.schemas import DocumentFields
from training.config import LabelConfig
from training.data import build_examples, deduplication
from training.data.examples import Example, read_examples
from training.data.jsonl import Document, Query, Text, raise_for_bad_rows, validate
from training.data.raw_dataset import Row

_DEFAULT_WORDS: int = DocumentFields.model_fields["max_words"].default


class _Line(BaseModel):
    """One line of an input file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Text
    query: Query
    document: Document
    max_words: Annotated[int, Field(ge=build_examples.FEWEST_WORDS, le=build_examples.MOST_WORDS)] = _DEFAULT_WORDS
    source: Text | None = None  # none: the file's name


def unlabelled(recipe: LabelConfig, folder: Path) -> tuple[list[Example], int]:
    """Queries with documents, each once, and how many were there again. Raises ConfigurationError, for leaks too."""
    if recipe.files:
        found = _read(recipe.files)
        test = [_as_row(one) for one in read_examples(folder / build_examples.FILES["test"])]
        deduplication.raise_for_leaks(deduplication.leaks([_as_row(one) for one in found], test, deduplication.Runs()))
    else:
        found = [one for one in read_examples(folder / build_examples.FILES["train"]) if one.kind == "positive"]
    pairs: dict[tuple[tuple[str, ...], tuple[str, ...]], Example] = {}
    for one in found:
        key = tuple(deduplication.folded_words(one.query)), tuple(deduplication.folded_words(one.document))
        pairs.setdefault(key, replace(one, summary=""))
    if not pairs:
        raise ConfigurationError("There is nothing to label. Set label.files to files with rows in them.")
    return list(pairs.values())[: recipe.limit], len(found) - len(pairs)


def _read(files: Sequence[Path]) -> list[Example]:
    """Raises ConfigurationError with one line for each bad row, after all have been looked at."""
    found: dict[str, Example] = {}
    wrong = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"Cannot read {file}: {error}. Set label.files to where your rows are.") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = validate(_Line, line)
                if row.id in found:
                    raise ValueError(f"id: {row.id} is there already")
            except ValueError as error:
                wrong.append(f"{file}:{number}: {error}")
            else:
                source = row.source or file.stem
                found[row.id] = Example(
                    row.id, source, row.query, row.document, "", row.max_words, "positive", derived=True
                )
    raise_for_bad_rows(wrong, len(wrong) + len(found))
    return list(found.values())


def _as_row(one: Example) -> Row:
    return Row(one.id, one.source, "train", one.query, one.document, one.summary, None, ())
