"""Tidying and composing text, with the way back to the places it came from."""

import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from querygist.text.unicode import BLANKS, CLUSTER, SINGLETONS, UNTIDY, tidied

_LONGEST_CLUSTER = 32  # NFC is quadratic in it; the Unicode "Stream-Safe Text Format" allows 30 marks (UAX 15, 13)


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Source places of the pieces of an edited text: piece k, at `target[k]`, is from `start[k]` to `end[k]`.

    A piece as long as its origin is a copy, character by character; of the others only the whole is known.
    """

    target: "array[int]" = field(default_factory=lambda: array("I"))
    start: "array[int]" = field(default_factory=lambda: array("I"))
    end: "array[int]" = field(default_factory=lambda: array("I"))

    def add(self, target: int, start: int, end: int) -> None:
        """Append a piece."""
        self.target.append(target)
        self.start.append(start)
        self.end.append(end)

    def to_origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the origin that a span of the edited text comes from."""
        first, last = bisect_right(self.target, start) - 1, bisect_right(self.target, end - 1) - 1
        origin, limit = self.start[first], self.end[last]
        if self._copied(first):
            origin += start - self.target[first]
        if self._copied(last):
            limit = self.start[last] + end - self.target[last]
        return origin, limit

    def to_target(self, position: int) -> int:
        """The place in the edited text of a character of its origin, or of what replaced or follows it."""
        piece = max(bisect_right(self.start, position) - 1, 0)
        offset = position - self.start[piece]
        if piece + 1 < len(self.target) and self._copied(piece):
            return min(self.target[piece] + max(offset, 0), self.target[piece + 1])
        return self.target[piece]

    def _copied(self, piece: int) -> bool:
        return self.target[piece + 1] - self.target[piece] == self.end[piece] - self.start[piece]


def _edit(text: str, start: int, end: int, edits: Iterator[tuple[int, int, str]]) -> tuple[str, Alignment | None]:
    """`text[start:end]` with the edits (from, to, replacement) made; no alignment when offsets are the same."""
    pieces: list[str] = []
    alignment = Alignment()
    copied = position = start
    length = 0  # of the text so far, up to `position`
    for begin, stop, replacement in edits:
        pieces += text[copied:begin], replacement
        copied = stop
        if len(replacement) == stop - begin:
            continue
        if begin > position:
            alignment.add(length, position, begin)
            length += begin - position
        if replacement:
            alignment.add(length, begin, stop)
            length += len(replacement)
        position = stop
    pieces.append(text[copied:end])
    if position < end:
        alignment.add(length, position, end)
        length += end - position
    alignment.add(length, end, end)  # where the last piece ends
    return "".join(pieces), None if (start, position) == (0, 0) else alignment


def tidy(text: str) -> tuple[str, Alignment | None]:
    """Invisible characters removed, blanks collapsed; see `unicode.UNTIDY`."""
    start, end = len(text) - len(text.lstrip(BLANKS)), len(text.rstrip(BLANKS))
    runs = ((*run.span(), new) for run in UNTIDY.finditer(text, start, end) if (new := tidied(run)) != run[0])
    return _edit(text, start, max(start, end), runs)


def compose(text: str) -> tuple[str, Alignment | None]:
    """NFC, cluster by cluster, and at most 31 marks on a character."""
    if unicodedata.is_normalized("NFC", text):
        return text, None
    text = text.translate(SINGLETONS)

    def edits() -> Iterator[tuple[int, int, str]]:
        for cluster in CLUSTER.finditer(text):
            composed = unicodedata.normalize("NFC", cluster[0][:_LONGEST_CLUSTER])
            if composed != cluster[0]:
                yield *cluster.span(), composed

    return _edit(text, 0, len(text), edits())


def clean_piece(text: str) -> str:
    """A piece of a text, tidied and composed as it will be behind a blank in the whole."""
    text = UNTIDY.sub(tidied, text.strip(BLANKS))
    return text if text.isascii() else compose("\n" + text)[0][1:]
