"""The reader's input: a query and a page's units as token ids.

    [CLS] query [SEP] heading unit [SEP] unit [SEP] heading heading unit [SEP] ...

Token type 1 for headings, 0 for all else. A unit is scored at the [SEP] behind it, the page at [CLS]. The title is the
first heading of every unit's path. A heading is written where the path of a unit holds one that the path of the unit
before did not; the first unit of a window has its whole path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

CLS, SEP, PAD = 101, 102, 0
MAX_TOKENS = 512
MAX_QUERY_TOKENS = 64
MAX_HEADING_TOKENS = 32
MAX_UNIT_TOKENS = 160
"""Of a longer one the first are read."""


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """`ids` and `types` are one long each; `places[n]` is where unit n is scored. Units that did not fit are left out
    at the end.
    """

    ids: list[int]
    types: list[int]
    places: list[int]


class InputEncoder:
    """Texts to inputs. A text that comes again is tokenized once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def encode(
        self,
        query: str,
        units: Sequence[str],
        headings: Sequence[Sequence[str]],
        max_tokens: int = MAX_TOKENS,
    ) -> ReaderInput:
        """Return the input of a query and units in page order, each with the path of headings above it."""
        ids = [CLS, *self.tokens(query)[:MAX_QUERY_TOKENS], SEP]
        types = [0] * len(ids)
        places: list[int] = []
        before: Sequence[str] = ()
        for unit, path in zip(units, headings, strict=True):
            heading = [token for text in new_headings(before, path) for token in self.tokens(text)[:MAX_HEADING_TOKENS]]
            body = [*self.tokens(unit)[:MAX_UNIT_TOKENS], SEP]
            if len(ids) + len(heading) + len(body) > max_tokens:
                break
            ids += heading + body
            types += [1] * len(heading) + [0] * len(body)
            places.append(len(ids) - 1)
            before = path
        return ReaderInput(ids, types, places)

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
