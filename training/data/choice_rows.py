"""Rows to choose sentences by: a query, a document, and what people answered from it, or that it does not answer."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.errors import ConfigurationError
from querygist.text.cleaning import clean_document, clean_query
from training.data.jsonl import Text, describe, raise_for_bad_rows
from training.data.raw_dataset import Split


class ChoiceRow(BaseModel):
    """One line of a file, as it stands there. `references`: further acceptable answers.

    Without a `split` it is no question with an answer, but something else that is learnt from: rated, or unlabelled.
    """

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: Text
    source: Text
    split: Split | None = None
    query: Text
    document: Text
    summary: str = ""
    answerable: bool = True
    references: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of query, document and answer, by which a frozen row is known to be the same."""
        return sha256("\x1f".join((self.query, self.document, self.summary)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A row with its texts as the service cleans them. `references` are empty where the document does not answer."""

    id: str
    source: str
    query: str
    document: str
    references: tuple[str, ...]


def read(files: Sequence[Path]) -> list[ChoiceRow]:
    """Return the rows of JSONL files, gzipped or not, in order. Ids are unique across the files.

    Raises ConfigurationError for files that cannot be read and with one line for each bad row.
    """
    rows: dict[str, ChoiceRow] = {}
    wrong: list[str] = []
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            try:
                row = ChoiceRow.model_validate_json(line)
            except ValidationError as error:
                wrong.append(f"{file}:{number}: {describe(error)}")
                continue
            if row.id in rows:
                wrong.append(f"{file}:{number}: id: {row.id} is there twice")
            rows[row.id] = row
    raise_for_bad_rows(wrong, len(wrong) + len(rows))
    return list(rows.values())


def clean(row: ChoiceRow) -> CleanRow:
    """Return the row as the service would see it. Raises UnprocessableText for what the service refuses.

    An answer of a list of references counts beside the row's own, `summary`: people wrote both.
    """
    answers = dict.fromkeys((row.summary, *row.references)) if row.answerable else {}
    return CleanRow(
        row.id,
        row.source,
        clean_query(row.query),
        clean_document(row.document, content_type="text/plain").text,
        tuple(clean_document(answer, content_type="text/plain").text for answer in answers),
    )


def _lines(file: Path) -> list[bytes]:
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
    except OSError as error:  # of a file that is not gzipped, too
        raise ConfigurationError(
            f"Cannot read the rows {file}: {error.strerror or error}. Set choices.files to where your rows are."
        ) from error
    return [line for line in content.split(b"\n") if line.strip()]
