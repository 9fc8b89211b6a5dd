"""Checks that a summary is a page's own words: slices of it, with joiners of the closed list between them."""

from collections.abc import Sequence
from functools import cache

from querygist.schemas import Answer
from querygist.text.quote import ELLIPSIS, Segment
from querygist.text.sentences import Span
from querygist.text.units import GAP, HEADER, LIST, SPACE

JOINERS = ("", SPACE, LIST, GAP, HEADER)


def is_written_from(shown: str, text: str, sources: Sequence[Span]) -> bool:
    """True when `shown` is these slices of the text, joined."""

    @cache
    def rest(at: int, source: int) -> bool:
        if source == len(sources):
            return at == len(shown)
        piece = text[slice(*sources[source])]
        return any(
            shown.startswith(joiner + piece, at) and rest(at + len(joiner) + len(piece), source + 1)
            for joiner in (JOINERS if source else ("",))
        )

    return rest(0, 0)


def is_verbatim(shown: str, text: str, segments: Sequence[Segment]) -> bool:
    """True when segments are slices of the text, and what stands between them is joiners and marks of cuts."""
    between, end = [], 0
    for one in segments:
        between.append(shown[end : one.start])
        end = one.end
    return (
        between[0] == ""
        and shown[end:] in ("", ELLIPSIS)
        and all(one in JOINERS or one.removeprefix(ELLIPSIS) in JOINERS for one in between)
        and all(is_written_from(shown[one.start : one.end], text, one.sources) for one in segments)
    )


def is_quoted(answer: Answer, document: str) -> bool:
    """True when all of an answer is the document's words, where its citations say they are."""
    segments = [
        Segment(one.summary.start, one.summary.end, tuple((span.start, span.end) for span in one.sources))
        for one in answer.citations
    ]
    places = {place for one in segments for start, end in one.sources for place in range(start, end)}
    union = {place for span in answer.sources for place in range(span.start, span.end)}
    return is_verbatim(answer.summary, answer.text or document, segments) and places == union
