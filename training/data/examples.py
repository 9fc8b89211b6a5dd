"""What the data stage writes and every later stage reads: one example a line, JSONL."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.files import replacing
from querygist.prompting.prompt_builder import Window, fit
from querygist.prompting.tokenizer import Tokenizer

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


def prompt_ids(example: Example, tokenizer: Tokenizer, identity: Identity) -> list[int]:
    """The prompt as the service builds it for this example."""
    return prompt_window(example, tokenizer, identity).ids


def prompt_window(example: Example, tokenizer: Tokenizer, identity: Identity) -> Window:
    """The same, with what it holds of the document."""
    return fit(
        tokenizer,
        prompt_version=identity.prompt_version,
        prompt_limit=identity.prompt_limit,
        query=example.query,
        title=None,
        document=example.document,
        max_words=example.max_words,
    )


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write a JSONL file; it is there as a whole or not at all."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for example in examples:
            fields = asdict(example)
            if not example.references:
                del fields["references"]
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")


def read_examples(path: Path) -> list[Example]:
    """Return the examples of a file that `write_examples` wrote. Raises ConfigurationError when it is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        found = [json.loads(line) for line in lines if line]
        return [Example(**{**fields, "references": tuple(fields.get("references", ()))}) for fields in found]
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}. Run the data stage first.") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} is not what the data stage writes ({error}). Run the data stage.") from error
