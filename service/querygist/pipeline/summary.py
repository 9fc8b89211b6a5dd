"""A summary, as it is cached and as answers are made of it."""

from dataclasses import dataclass
from typing import Literal

Support = Literal["verbatim", "repaired", "paraphrase"]
Method = Literal["generative", "extractive"]
Reason = Literal["asked", "overloaded", "deadline", "engine", "checker"]

ENTRY_OVERHEAD = 600
"""Bytes of an entry besides its text: key, objects, the cache's own links (measured with tracemalloc)."""

_CITATION_BYTES = 350


@dataclass(frozen=True, slots=True)
class Cited:
    """Characters [start, end) of the summary, and the spans of the document's source text they rest on."""

    start: int
    end: int
    sources: tuple[tuple[int, int], ...]
    support: Support


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary and all that a later identical request needs of it.

    `reason`: of an extractive one. `copied`: share of its bigrams that the document has. `score`: the probability that
    the document answers, None where no reader read it. Tokens are the model's. `lasting`: worth keeping.
    """

    text: str
    answerable: bool
    method: Method
    reason: Reason | None
    citations: tuple[Cited, ...]
    copied: float
    score: float | None = None
    lasting: bool = True
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated: bool = False

    @property
    def size(self) -> int:
        """Bytes it takes in memory, about: text at up to four bytes a character, and the citations."""
        return ENTRY_OVERHEAD + 4 * len(self.text) + _CITATION_BYTES * len(self.citations)
