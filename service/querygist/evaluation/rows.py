"""Requests to measure with: (query, document) rows of any JSONL file with these two fields."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.prompting.prompt_builder import fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import clean_document, clean_query
from querygist.text.ranking import rank

BUILT_IN = Path(__file__).parents[3] / "tests" / "data" / "rows.jsonl"
"""40 openly licensed rows; see the README beside it. The folder is tests/data by another name, for the wheel."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow")

    query: str
    document: str


def rows(path: Path = BUILT_IN, limit: int | None = None) -> list[dict[str, str]]:
    """The first `limit` rows of `path`, in file order. Raises ConfigurationError naming the first line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise ConfigurationError(f"Cannot read the rows {path}: {error.strerror}.") from error
    found = []
    for number, line in enumerate(lines[:limit], 1):
        try:
            found.append(_Row.model_validate_json(line).model_dump())
        except ValidationError as error:
            raise ConfigurationError(
                f"{path}:{number} is not a row, an object with `query` and `document`: {error.errors()[0]['msg']}."
            ) from error
    return found


def prompts(data: Iterable[dict[str, str]], tokenizer: Tokenizer, identity: Identity) -> list[list[int]]:
    """The token ids the service would send to the engine for each row, for summaries of at most 40 words."""
    return [
        fit(
            tokenizer,
            rank(clean_document(row["document"], content_type="text/plain"), clean_query(row["query"])),
            prompt_version=identity.prompt_version,
            prompt_limit=identity.prompt_limit,
            query=clean_query(row["query"]),
            title=None,
            max_words=40,
        ).ids
        for row in data
    ]
