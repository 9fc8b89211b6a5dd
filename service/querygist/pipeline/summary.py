"""A generated summary, as it is cached and as answers are made of it."""

from dataclasses import dataclass

ENTRY_OVERHEAD = 600
"""Bytes of an entry besides its text: key, objects, the cache's own links (measured with tracemalloc)."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A generated summary and all that a later identical request needs of it.

    `sources` are (start, end) in code points of the document's source text.
    """

    text: str
    answerable: bool
    sources: tuple[tuple[int, int], ...]
    copied: float
    prompt_tokens: int
    completion_tokens: int
    truncated: bool

    @property
    def size(self) -> int:
        """Bytes it takes in memory, about: text at up to four bytes a character, 150 a source span."""
        return ENTRY_OVERHEAD + 4 * len(self.text) + 150 * len(self.sources)
