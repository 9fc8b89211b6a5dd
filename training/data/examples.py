"""Training and test examples: what the data stage writes and every later stage reads, one a line, JSONL."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from querygist.engines.base import Identity
from querygist.prompting.prompt_builder import Window, fit
from querygist.prompting.tokenizer import Tokenizer
from querygist.text.cleaning import clean_document
from querygist.text.ranking import Ranking, rank
from training.data.jsonl import read_jsonl, write_jsonl

Kind = Literal["positive", "hard", "unrelated"]
KINDS: tuple[Kind, ...] = ("positive", "hard", "unrelated")


@dataclass(frozen=True, slots=True)
class Example:
    """Query, document and the summary to write, all clean; `max_words` is the length that the prompt asks for.

    `kind`: positive (the document answers), hard or unrelated (it does not, and `summary` says so). `derived`: people
    chose a shorter summary than this one. `references`: what people wrote, of test rows only.
    """

    id: str
    source: str
    query: str
    document: str
    summary: str
    max_words: int
    kind: Kind
    derived: bool
    references: tuple[str, ...] = ()


def ranked(document: str, query: str) -> Ranking:
    """Return the units of a clean document of plain text by what they say about the query."""
    return rank(clean_document(document, content_type="text/plain"), query)


def prompt_ids(example: Example, tokenizer: Tokenizer, identity: Identity) -> list[int]:
    """Return the prompt as the service builds it for this example."""
    return prompt_window(example, tokenizer, identity).ids


def prompt_window(example: Example, tokenizer: Tokenizer, identity: Identity) -> Window:
    """Return the same, with what it holds of the document."""
    return fit(
        tokenizer,
        ranked(example.document, example.query),
        prompt_version=identity.prompt_version,
        prompt_limit=identity.prompt_limit,
        query=example.query,
        title=None,
        max_words=example.max_words,
    )


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write a JSONL file; it is there as a whole or not at all."""
    fields = (asdict(example) for example in examples)
    write_jsonl(path, ({k: v for k, v in one.items() if k != "references" or v} for one in fields))


def read_examples(path: Path) -> list[Example]:
    """Return the examples of a file that `write_examples` wrote. Raises ConfigurationError when it is none."""
    return read_jsonl(
        path, lambda fields: Example(**{**fields, "references": tuple(fields.get("references", ()))}), "data"
    )
