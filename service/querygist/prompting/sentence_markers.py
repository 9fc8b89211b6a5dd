"""Labels for the units of a page, so that a model can say which one it means with one token.

A label stands before its unit and after it. Before it, because a quotation goes on from there; after it, because a
decoder reads from left to right, and only there has it read the unit and can know whether it answers. Headings, which
are no units, have none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from querygist.prompting import templates
from querygist.prompting.templates import BEST, LABEL, LETTERS, Segment
from querygist.text.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Sentence:
    """A labelled unit, at `place` in the ranking: the prompt's text from `start` to `end`. `best`: it ranks first."""

    letter: str
    place: int
    start: int
    end: int
    best: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """The text of a page, or of its passages, and the units in it that have a label."""

    text: str
    sentences: tuple[Sentence, ...]


def mark(ranking: Ranking, places: Sequence[int]) -> Marked:
    """The units at `places`, in page order, as one text: with what stands between them where they are neighbours.

    Of more than there are letters, those are labelled that rank first.
    """
    text, units = ranking.text, ranking.units
    order = [place for place in ranking.order or range(len(units)) if place in set(places)]
    labelled = set(order[: len(LETTERS)])
    pieces: list[str] = []
    sentences: list[Sentence] = []
    length, previous = 0, -1
    for place in places:
        begin = units[previous].end if previous >= 0 else 0
        between = text[begin : units[place].start] if place == previous + 1 else "\n"
        own = text[units[place].start : units[place].end]
        start = length + len(between)
        if place in labelled:
            letter = LETTERS[len(sentences)]
            best = bool(ranking.order) and place == ranking.order[0]
            sentences.append(Sentence(letter, place, start, start + len(own), best))
        pieces += between, own
        length, previous = start + len(own), place
    if places and places[-1] == len(units) - 1:
        pieces.append(text[units[-1].end :])
    return Marked("".join(pieces), tuple(sentences))


def place_of(sentences: Sequence[Sentence], at: int) -> int | None:
    """Return the index of the one that holds character `at`; the first when it stands before all, None of none."""
    return max((place for place, one in enumerate(sentences) if one.start <= at), default=0) if sentences else None


def on_one_line(text: str) -> str:
    """Every run of blanks as one space, at the ends too: what goes on behind another text still does."""
    return re.sub(r"\s+", " ", text)


def document(version: str, marked: Marked) -> templates.Document:
    """A document as it stands in the prompt: every unit between its labels, and a mark before the best one.

    What ranks first is a hint that the model need not search for itself; it may still know better. Line ends become
    spaces: the labels tell what they told, and the model has learned from texts of one line.
    """
    text = marked.text
    if not templates.VERSIONS[version].labelled:
        return (Segment(text, ours=False),)
    segments: list[Segment] = []
    end, before = 0, ""
    for sentence in marked.sentences:
        between = on_one_line(text[end : sentence.start])
        opening = f"{BEST * sentence.best}{LABEL}{sentence.letter}"
        if heading := between.rstrip():
            segments += Segment(before, ours=True), Segment(heading, ours=False), Segment(opening, ours=True)
        else:
            segments.append(Segment(before + opening, ours=True))
        space = " " if between.endswith(" ") else ""
        segments.append(Segment(space + on_one_line(text[sentence.start : sentence.end]), ours=False))
        end, before = sentence.end, sentence.letter
    segments.append(Segment(f"{before}{LABEL}" if before else "", ours=True))
    segments.append(Segment(on_one_line(text[end:]).rstrip(), ours=False))
    return tuple(segment for segment in segments if segment.text)
