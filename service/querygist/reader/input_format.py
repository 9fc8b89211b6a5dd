"""The reader's input: a query and a page's units as token ids.

    [CLS] query [SEP] heading unit [SEP] unit [SEP] heading heading unit [SEP] ...

Token type 1 for headings, 0 for all else. A unit is scored at the [SEP] behind it, the page at [CLS]. The title is the
first heading of every unit's path. A heading is written where the path of a unit holds one that the path of the unit
before did not; the first unit of a window has its whole path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from querygist.artifact.reader_card import TokenLimits

CLS, SEP, PAD = 101, 102, 0
LIMITS = TokenLimits(tokens=512, query=64, heading=32, unit=160)
"""Limits that a reader is trained with; serving takes them from its card."""


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """`ids` and `types` are one long each; `places[n]` is where unit n is scored. Units that did not fit are left out
    at the end.
    """

    ids: list[int]
    types: list[int]
    places: list[int]


class InputEncoder:
    """Texts to inputs. A text that comes again is tokenized once.

    It keeps every text it has seen, so it must not outlive the pages it is for: training makes one for its run, serving
    one for each page. Not for several threads at once.
    """

    def __init__(self, tokenizer: Tokenizer, limits: TokenLimits = LIMITS) -> None:
        self.limits = limits
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def encode(
        self,
        query: str,
        units: Sequence[str],
        headings: Sequence[Sequence[str]],
        max_tokens: int | None = None,
    ) -> ReaderInput:
        """Return the input of a query and units in page order, each with the path of headings above it.

        It has at most `max_tokens` tokens; None: as many as the limits allow.
        """
        most = self.limits.tokens if max_tokens is None else max_tokens
        ids = [CLS, *self.tokens(query)[: self.limits.query], SEP]
        types = [0] * len(ids)
        places: list[int] = []
        before: Sequence[str] = ()
        for unit, path in zip(units, headings, strict=True):
            heading, body = self.heading(new_headings(before, path)), self.body(unit)
            if len(ids) + len(heading) + len(body) > most:
                break
            ids += heading + body
            types += [1] * len(heading) + [0] * len(body)
            places.append(len(ids) - 1)
            before = path
        return ReaderInput(ids, types, places)

    def heading(self, path: Sequence[str]) -> list[int]:
        """Return the ids of headings as they are written before a unit."""
        return [token for text in path for token in self.tokens(text)[: self.limits.heading]]

    def body(self, unit: str) -> list[int]:
        """Return the ids of a unit and its separator."""
        return [*self.tokens(unit)[: self.limits.unit], SEP]

    def tokens(self, text: str) -> list[int]:
        """Return the ids of a text, without special tokens."""
        if text not in self._known:
            self._known[text] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return self._known[text]


def new_headings(before: Sequence[str], path: Sequence[str]) -> Sequence[str]:
    """Return what of a path lies below the part that it shares with the path before."""
    shared = 0
    while shared < min(len(before), len(path)) and before[shared] == path[shared]:
        shared += 1
    return path[shared:]
