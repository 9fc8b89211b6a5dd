"""Sentences of a document that a text is made of, and precision, recall and F1 of one choice of them against another.

A text is divided among the sentences of the document: runs of at least three words that both have (of a shorter
sentence, all of its words), each word of the text going to one sentence, the longest run first. A sentence is used when
half of its words are found so, or eight in a row (of a sentence that was cut), or half of the text's words (of one that
was quoted in part). The rule is the same for what people wrote and for what a system wrote, so whoever cuts or edits a
sentence is judged alike. Words are compared without case and punctuation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from querygist.text.sentences import Span, bounded_spans, words

_RUN = 3
_SHARE = 0.5
_IN_A_ROW = 8

Index = Mapping[tuple[str, ...], Sequence[int]]
"""Where each run of one, two and three words begins in the text."""


@dataclass(frozen=True, slots=True)
class SentenceScore:
    """Percentages, for one choice of sentences."""

    precision: float
    recall: float
    f1: float


NOTHING_CHOSEN = SentenceScore(0.0, 0.0, 0.0)


def used(document: str, sentences: Sequence[Span], text: str) -> frozenset[int]:
    """Return the indices of the sentences that the text is made of; none of a text in words of its own."""
    size, index = _index(_folded(text))
    folded = [_folded(document[start:end]) for start, end in sentences]
    free = [True] * size
    longest = [_longest(_places(one, index, free)) for one in folded]
    found = set()
    for number in sorted(range(len(folded)), key=lambda number: -longest[number]):
        if not longest[number]:
            break
        places = _places(folded[number], index, free)
        count = sum(place is not None for place in places)
        if count and (count >= _SHARE * len(places) or count >= _SHARE * size or _longest(places) >= _IN_A_ROW):
            found.add(number)
            for place in places:
                if place is not None:
                    free[place] = False
    return frozenset(found)


def score(document: str, text: str, references: Sequence[str]) -> SentenceScore | None:
    """Return the score against the reference that is best by F1; None when no reference is made of sentences of it."""
    sentences = bounded_spans(document)
    wanted = [places for reference in references if (places := used(document, sentences, reference))]
    if not wanted:
        return None
    chosen = used(document, sentences, text)
    return max((compare(chosen, places) for places in wanted), key=lambda one: one.f1)


def compare(chosen: frozenset[int], wanted: frozenset[int]) -> SentenceScore:
    """Return the score of a choice; `wanted` must not be empty."""
    both = len(chosen & wanted)
    if not both:
        return NOTHING_CHOSEN
    precision, recall = both / len(chosen), both / len(wanted)
    return SentenceScore(100 * precision, 100 * recall, 200 * precision * recall / (precision + recall))


def _folded(text: str) -> list[str]:
    return [text[start:end].casefold() for start, end in words(text)]


def _index(folded: Sequence[str]) -> tuple[int, Index]:
    """Return the number of words of the text, and its index."""
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for size in range(1, _RUN + 1):
        for start in range(len(folded) - size + 1):
            index[tuple(folded[start : start + size])].append(start)
    return len(folded), index


def _places(sentence: Sequence[str], index: Index, free: Sequence[bool]) -> list[int | None]:
    """Return for each word of a sentence its place in the text, by runs of words of it that are all free."""
    size = min(_RUN, len(sentence))
    places: list[int | None] = [None] * len(sentence)
    for first in range(len(sentence) - size + 1):
        starts = [
            start for start in index.get(tuple(sentence[first : first + size]), ()) if all(free[start : start + size])
        ]
        if starts:
            begun = places[first]
            start = begun if begun in starts else starts[0]  # a run goes on where it can
            places[first : first + size] = range(start, start + size)
    return places


def _longest(places: Sequence[int | None]) -> int:
    """Return the length of the longest run of words that follow one another in the text, too."""
    longest = current = 0
    previous: int | None = None
    for place in places:
        follows = previous is not None and place == previous + 1
        current = current + 1 if follows else int(place is not None)
        longest = max(longest, current)
        previous = place
    return longest
