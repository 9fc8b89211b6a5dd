"""Attribution: the places of a document that a text is copied from, and how much of it is."""

from dataclasses import dataclass

from querygist.pipeline.alignment import Alignment
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import Span


@dataclass(frozen=True, slots=True)
class Attribution:
    """`sources`: spans of `document.source`, sorted, disjoint. `copied`: 0 to 1."""

    sources: tuple[Span, ...]
    copied: float


def attribute(summary: str, document: CleanDocument) -> Attribution:
    """Find the summary in the document, ignoring case, punctuation and blanks.

    `sources` are the places of its fragments of at least three words, or of the whole summary if that is shorter.
    `copied` is the share of the summary's word bigrams that the document has (of a single word: whether it does).
    """
    alignment = Alignment(document.text)
    places = merged(alignment.fragments(summary))
    sources = [document.to_source(alignment.words[first][0], alignment.words[last - 1][1]) for first, last in places]
    return Attribution(tuple(merged(sources)), alignment.copied(summary))


def merged(spans: list[Span]) -> list[Span]:
    """The spans in order, those that touch or overlap made one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
