"""A row's units, and those of them that the human answer covers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from querygist.text.sentences import bounded_spans, terms
from training.reader.rows import ReaderRow

_COVERED = 0.5
"""Share of a unit's pairs of words that stand in the answer, above which people chose it."""

_HOLDS = 0.5
"""Share of the answer's pairs of words in one unit, above which that unit is where a fragment was cut from."""

_NEAREST = 0.25
"""Share of the answer's pairs of words in the unit that has most, below which an answer is in people's own words."""

_LONGEST_HEADING = 14
_ENDS = re.compile(r"[.!;:,…]\W*$")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence, item or table row. `answers` is None where nobody knows. `origin`: the text before augmentation,
    which the frozen encoder reads.
    """

    text: str
    answers: bool | None
    headings: tuple[str, ...] = ()
    origin: str = field(default="")

    @property
    def source_text(self) -> str:
        """Return the text before augmentation."""
        return self.origin or self.text


def units_of(row: ReaderRow) -> list[Unit]:
    """Return the units of a row's page in order, marked by its answers.

    Of a page without an answer none does; of one whose answer nobody wrote, or wrote in own words, it is not known.
    """
    texts = [row.document[start:end] for start, end in bounded_spans(row.document)]
    marks: Sequence[bool | None] = [False] * len(texts)
    if row.answerable:
        marks = covered(texts, row.answers)
    return [Unit(text, mark) for text, mark in zip(texts, marks, strict=True)]


def covered(texts: Sequence[str], answers: Sequence[str]) -> Sequence[bool | None]:
    """Return of each text if one of the answers covers it; None of all when no answer is near any of them."""
    pairs = [_pairs(text) for text in texts]
    marks = [False] * len(texts)
    for answer in answers:
        wanted = _pairs(answer)
        shares = [len(own & wanted) for own in pairs]
        for place, (own, share) in enumerate(zip(pairs, shares, strict=True)):
            marks[place] |= share >= max(1, _COVERED * len(own)) or share >= max(1, _HOLDS * len(wanted))
        if not any(marks) and shares and max(shares) >= max(1, _NEAREST * len(wanted)):
            marks[shares.index(max(shares))] = True
    return marks if any(marks) else [None] * len(texts)


def with_headings(units: Sequence[Unit], document: str, title: str | None) -> list[Unit]:
    """Return the units with lines that look like headings taken out and written above those that follow.

    A short line on its own, without an end of sentence, that answers nothing and has text below it.
    """
    lines = {line.strip() for line in document.split("\n")} if "\n" in document else set()
    found: list[Unit] = []
    above: tuple[str, ...] = ()
    root = (title,) if title else ()
    for place, unit in enumerate(units):
        followed = place + 1 < len(units) and len(units[place + 1].text.split()) > _LONGEST_HEADING
        short = len(unit.text.split()) <= _LONGEST_HEADING and not _ENDS.search(unit.text)
        if short and followed and not unit.answers and unit.text in lines:
            above = (unit.text,)
        else:
            found.append(Unit(unit.text, unit.answers, root + above, unit.origin))
    return found


def _pairs(text: str) -> set[Pair]:
    """Return the pairs of neighbouring stems; of a text of one word, that word twice."""
    stems = terms(text, common=True)
    return set(pairwise(stems)) or {(stem, stem) for stem in stems}
