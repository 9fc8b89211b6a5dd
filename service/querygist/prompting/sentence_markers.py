"""Labels for the sentences of a document, so that a model can say which one it means with one token.

A label stands before its sentence and after it. Before it, because a quotation goes on from there; after it, because a
decoder reads from left to right, and only there has it read the sentence and can know whether it answers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from querygist.prompting import templates
from querygist.prompting.templates import BEST, LABEL, LETTERS, Segment
from querygist.text.passages import ranked


@dataclass(frozen=True, slots=True)
class Sentence:
    """A labelled sentence: the document from `start` to `end`, with the space before it and what has no label after it.

    `best`: it shares most with the query, by BM25.
    """

    letter: str
    start: int
    end: int
    best: bool


def labelled(document: str, query: str) -> list[Sentence]:
    """The sentences of a document, in order; what stands before the first of them has no label.

    Of more than there are letters, those are labelled that share most with the query.
    """
    sentences, order = ranked(document, query)
    chosen = sorted((order or range(len(sentences)))[: len(LETTERS)])
    starts = [sentences[place - 1][1] if place else 0 for place in chosen]
    ends = [*starts[1:], len(document)]
    best = order[0] if order else None
    return [
        Sentence(letter, start, end, best=place == best)
        for letter, start, end, place in zip(LETTERS, starts, ends, chosen, strict=False)
    ]


def place_of(sentences: Sequence[Sentence], at: int) -> int | None:
    """Return the index of the one that holds character `at`; the first when it stands before all, None of none."""
    return max((place for place, one in enumerate(sentences) if one.start <= at), default=0) if sentences else None


def on_one_line(text: str) -> str:
    """Every run of blanks as one space, at the ends too: what goes on behind another text still does."""
    return re.sub(r"\s+", " ", text)


def document(version: str, text: str, query: str) -> templates.Document:
    """A document as it stands in the prompt: every sentence between its labels, and a mark before the best one.

    What BM25 finds is a hint that the model need not search for itself; it may still know better. Line ends become
    spaces: the labels tell what they told, and the model has learned from texts of one line.
    """
    if not templates.VERSIONS[version].labelled:
        return (Segment(text, ours=False),)
    sentences = labelled(text, query)
    segments = [Segment(on_one_line(text[: sentences[0].start if sentences else None]), ours=False)]
    before = ""
    for sentence in sentences:
        segments.append(Segment(f"{before}{BEST * sentence.best}{LABEL}{sentence.letter}", ours=True))
        segments.append(Segment(on_one_line(text[sentence.start : sentence.end]), ours=False))
        before = sentence.letter
    segments.append(Segment(f"{before}{LABEL}" if before else "", ours=True))
    return tuple(segment for segment in segments if segment.text)
