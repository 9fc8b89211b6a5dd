"""The quote: the units of a page that answer a query, word for word. The extractive answer, and the fallback."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from querygist.text.cleaning import CleanDocument
from querygist.text.ranking import WEIGHTS, Ranking, Weights, rank
from querygist.text.unicode import UNSPACED, character_start
from querygist.text.units import Slice, joined, written

ELLIPSIS = "…"
_LONG_WORD = 15  # characters that count as a word where no space ends one
_MOST_CANDIDATES = 200
_STEP = re.compile(r"(?<!\S)\(?(?:\d{1,2}|[a-z])[.)]\s")
_WORD = re.compile(r"\S+")
_BETWEEN_LETTERS = re.compile(f"(?<=[{UNSPACED}])")  # a script that may be cut there


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters [start, end) of a summary, and the spans of the page's text they are written from."""

    start: int
    end: int
    sources: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Units of a page on one line. `segments`: one a unit, in order. `chosen`: indices of the units, in page order.

    Not `answerable`: no term of the query occurs; then `text` is "".
    """

    text: str
    segments: tuple[Segment, ...]
    chosen: tuple[int, ...]
    answerable: bool


NO_QUOTE = Quote("", (), (), answerable=False)


def quote(
    document: CleanDocument,
    query: str,
    *,
    max_words: int,
    title: str | None = None,
    weights: Weights = WEIGHTS,
) -> Quote:
    """Quote what answers the query, in page order, in at most `max_words` words; only what earns its place."""
    return quote_of(rank(document, query, title=title, weights=weights), max_words=max_words, weights=weights)


def quote_of(ranking: Ranking, *, max_words: int, weights: Weights = WEIGHTS) -> Quote:
    """The quote of a page that is ranked already."""
    if not ranking.order:
        return NO_QUOTE
    return assembled(ranking, _choose(ranking, max_words, weights), max_words, weights.cut_room)


def _choose(ranking: Ranking, max_words: int, weights: Weights) -> list[int]:
    """Indices of units, best first: each the best that is left, where one behind a chosen one has a bonus."""
    worth = {place: ranking.scores[place] for place in ranking.order[:_MOST_CANDIDATES]}
    least = weights.entry * ranking.scores[ranking.order[0]]
    chosen: list[int] = []
    seen: set[str] = set()  # pages repeat themselves
    room = max_words
    while worth and room > 0:
        best = max(worth, key=worth.__getitem__)
        if worth.pop(best) < least:
            break
        line = written(ranking.text, ranking.units[best].slices)
        size = words_in(line) + (bool(chosen) and best - 1 not in chosen)  # and the mark of a gap
        if line in seen or (chosen and room < min(size, weights.cut_room)):
            continue
        seen.add(line)
        chosen.append(best)
        room -= size
        if best + 1 in worth and ranking.units[best + 1].headings == ranking.units[best].headings:
            worth[best + 1] += weights.next_bonus
            if _continues(ranking, best):
                worth[best + 1] = max(worth[best + 1], least)
    return chosen


def _continues(ranking: Ranking, place: int) -> bool:
    """True when a numbered step and the next one stand there: who is told the first wants to know the others."""
    text, (unit, following) = ranking.text, ranking.units[place : place + 2]
    return bool(_STEP.search(text, unit.start, unit.end) and _STEP.match(text, following.start, following.end))


def words_in(text: str) -> int:
    """Words, as `max_words` counts them; where no spaces stand, so many characters count as one."""
    return max(len(text.split()), -(-len(text) // _LONG_WORD))


def assembled(ranking: Ranking, chosen: Sequence[int], max_words: int, cut_room: int) -> Quote:
    """Write the chosen units in page order within the bound; `chosen` has the best first, and the last ones go first.

    A unit that does not fit is cut at a word if at least `cut_room` words of room are left, or if it is the only one.
    """
    kept = list(chosen)
    while kept:
        order = sorted(kept)
        line, segments = _write(ranking.text, joined(ranking.text, ranking.units, order))
        if words_in(line) > max_words:
            line, segments = _cut(ranking, order, kept[-1], max_words, cut_room)
        if line:
            return Quote(line, segments, tuple(order), answerable=True)
        kept.pop()
    return NO_QUOTE


def _cut(
    ranking: Ranking, order: Sequence[int], last: int, max_words: int, cut_room: int
) -> tuple[str, tuple[Segment, ...]]:
    """Write the units with `last` cut, so that all fit; nothing when too little of it would be left."""
    text, place = ranking.text, order.index(last)
    parts = joined(text, ranking.units, order)
    others = _write(text, [*parts[:place], (Slice(parts[place][0].joiner, 0, 0),), *parts[place + 1 :]])[0]
    room = max_words - (words_in(others) if len(order) > 1 else 0)
    parts[place] = fitting(text, parts[place], room, cut_room if len(order) > 1 else 1)
    return _write(text, parts, cut=place) if parts[place] else ("", ())


def fitting(text: str, slices: Sequence[Slice], room: int, least: int) -> tuple[Slice, ...]:
    """The beginning of the slices that with an ellipsis has at most `room` words; none of fewer than `least`."""
    for words in range(room, least - 1, -1):
        kept = _shortened(text, slices, words)
        if words_in(written(text, kept).lstrip() + ELLIPSIS) <= room:
            return kept
    return ()


def _shortened(text: str, slices: Sequence[Slice], room: int) -> tuple[Slice, ...]:
    """The first `room` words of the slices."""
    kept: list[Slice] = []
    for one in slices:
        end = one.start
        for word in _WORD.finditer(text, one.start, one.end):
            size = words_in(word[0])
            if size > room:
                inside = character_start(text, word.start() + room * _LONG_WORD)
                alone = not kept and end == one.start
                if inside > word.start() and (alone or _BETWEEN_LETTERS.match(text, inside)):
                    end = inside
                room = 0
                break
            end, room = word.end(), room - size
        if end > one.start:
            kept.append(Slice(one.joiner, one.start, min(end, one.end)))
        if room <= 0:
            break
    return tuple(kept)


def _write(text: str, parts: Sequence[Sequence[Slice]], cut: int | None = None) -> tuple[str, tuple[Segment, ...]]:
    """The summary and its segments; the one at index `cut` ends in an ellipsis."""
    line = ""
    segments = []
    for place, slices in enumerate(parts):
        line += slices[0].joiner
        start = len(line)
        line += text[slices[0].start : slices[0].end] + written(text, slices[1:])
        segments.append(Segment(start, len(line), tuple((one.start, one.end) for one in slices)))
        if place == cut:
            line += ELLIPSIS
    return line, tuple(segments)
