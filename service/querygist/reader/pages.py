"""Pages to the worker's inputs, and its answer to readings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from querygist.artifact.reader_card import TokenLimits
from querygist.reader.input_format import InputEncoder
from querygist.reader.windows import Window, WindowScores, merged, readable, windows


@dataclass(frozen=True, slots=True)
class PageToRead:
    """A page's `units` in its order, the path of headings over each (title first), and the `order` in which units are
    worth reading, best first: their indices, each once. Units that are not in it are not read.
    """

    query: str
    units: Sequence[str]
    headings: Sequence[Sequence[str]]
    order: Sequence[int]

    @property
    def characters(self) -> int:
        """About as many as will be tokenized."""
        return len(self.query) + sum(map(len, self.units))


@dataclass(frozen=True, slots=True)
class Reading:
    """One for each unit of a page, None where it was not read: `units`, the logit that it answers; `similarities`, its
    cosine to the query. `page`: the calibrated probability that the page answers; 0 where nothing was read.
    """

    units: tuple[float | None, ...]
    similarities: tuple[float | None, ...]
    page: float


class PageEncoder:
    """A reader's tokenizer and limits. May be used in any thread."""

    def __init__(self, tokenizer: Tokenizer, limits: TokenLimits) -> None:
        self._tokenizer = tokenizer
        self._limits = limits
        self._most_headings = (limits.tokens - limits.query - limits.unit - 3) // max(1, limits.heading)

    def windows(self, page: PageToRead) -> list[Window]:
        """Return what the network reads of a page."""
        encoder = InputEncoder(self._tokenizer, self._limits)
        # The outermost headings of a path that would leave no room for its unit are not read.
        headings = [path[max(0, len(path) - self._most_headings) :] for path in page.headings]
        chosen = readable(encoder, page.units, headings, page.order)
        return windows(encoder, page.query, page.units, headings, chosen)


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the lower-casing WordPiece tokenizer, without the padding and the 128-token cut its file asks for.

    A text that spells "[SEP]" gets four ordinary tokens: pages must not end units of their own.
    """
    tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def readings(
    pages: Sequence[PageToRead], found: Sequence[Sequence[Window]], answer: Mapping[str, Any], temperature: float
) -> list[Reading]:
    """Return a reading of each page, of the worker's answer for all their windows in order."""
    rows = zip(answer["units"], answer["similarities"], answer["page"], strict=True)
    scores = iter([WindowScores(*row) for row in rows])
    return [
        _reading(len(page.units), [(window, next(scores)) for window in own], temperature)
        for page, own in zip(pages, found, strict=True)
    ]


def _reading(count: int, found: Sequence[tuple[Window, WindowScores]], temperature: float) -> Reading:
    scores = merged(count, found)
    units, similarities = (
        tuple(None if math.isnan(value) else value for value in values.tolist())
        for values in (scores.units, scores.similarities)
    )
    return Reading(units, similarities, 0.5 * (1 + math.tanh(scores.page / temperature / 2)))
