"""JSON Lines: those that a stage writes for the next one, and files of rows from elsewhere, checked line by line."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError

from querygist.errors import ConfigurationError, UnprocessableText
from querygist.files import replacing
from querygist.text.cleaning import clean_document, clean_query

_MOST_SHOWN = 20

Text = Annotated[str, Field(min_length=1)]


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=_HasId)
T = TypeVar("T")


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one record a line; the file is there as a whole or not at all."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_jsonl(path: Path, make: Callable[[dict[str, Any]], T], stage: str) -> list[T]:
    """Return the records of a file that a stage wrote. Raises ConfigurationError when it is not there or no such."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [make(json.loads(line)) for line in lines if line]
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}. Run the {stage} stage first.") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is not what the {stage} stage writes ({error}). Run the {stage} stage."
        ) from error


def read_rows(files: Sequence[Path], parse: Callable[[str], R], setting: str) -> list[R]:
    """Return the rows of all files, in order, each line as `parse` takes it. `setting`: what names the files.

    Raises ConfigurationError for files that cannot be read and, after all rows have been looked at, with one line for
    each bad one, where `parse` raised ValueError or the id is there twice: file:line, field, what is wrong.
    """
    rows: list[R] = []
    wrong: list[str] = []
    places: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(_text(file, setting).split("\n"), 1):
            if line.strip():
                place = f"{file}:{number}"
                try:
                    row = parse(line)
                    if row.id in places:
                        raise ValueError(f"id: {row.id} is the id of {places[row.id]} as well")
                except ValueError as error:
                    wrong.append(f"{place}: {error}")
                else:
                    places[row.id] = place
                    rows.append(row)
    raise_for_bad_rows(wrong, len(wrong) + len(rows))
    return rows


def _text(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the data file {file}: {error.strerror}. Set {setting} to where your rows are."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The data file {file} is not UTF-8 (byte {error.start}).") from error


def validate(kind: type[M], line: str) -> M:
    """Return a line as a model. Raises ValueError, telling the field and never its text."""
    try:
        return kind.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValidationError as error:
        raise ValueError(describe(error)) from error


def describe(error: ValidationError) -> str:
    """Tell the fields that are wrong, and how, without the text in them."""
    items = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'row'}: {item['msg']}" for item in items)


def raise_for_bad_rows(wrong: list[str], rows: int) -> None:
    """Raise ConfigurationError with one line for each of the first bad rows of so many `rows`, if there is one."""
    if wrong:
        shown = "\n".join(wrong[:_MOST_SHOWN])
        more = f"\nand {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        raise ConfigurationError(f"{len(wrong)} of {rows} rows cannot be used. Mend or remove them:\n{shown}{more}")


def cleaned(name: str) -> AfterValidator:
    """Clean a text as the service cleans documents, so that a quote stays one; an error calls it `name`."""

    @lru_cache(maxsize=1024)  # in a click log a document stands in many rows
    def clean(text: str) -> str:
        try:
            return clean_document(text, content_type="text/plain").text
        except UnprocessableText as error:
            raise _custom(error.detail.replace("The document", f"The {name}")) from error

    return AfterValidator(clean)


def _cleaned_query(text: str) -> str:
    try:
        return clean_query(text)
    except UnprocessableText as error:
        raise _custom(error.detail) from error


def _custom(message: str) -> PydanticCustomError:
    return PydanticCustomError("unprocessable_text", "{message}", {"message": message})


Query = Annotated[Text, AfterValidator(_cleaned_query)]
Document = Annotated[Text, cleaned("document")]
