"""Short quoted answers become longer ones: the sentences that people chose, and what follows them in the document.

Most open data sets mark one sentence, and what a search page shows is two or three, as many as there is room for. A
target begins at the answer and goes on to the requested length. What comes out is a contiguous part of the document,
word for word, and is marked as derived.
"""

import re

from querygist.pipeline.attribution import attribute
from querygist.text.cleaning import CleanDocument
from querygist.text.sentences import Span, sentence_spans

_TITLE = re.compile(r"(?:\S+\s+){0,7}\S+|(?=.* - )(?:\S+\s+){0,15}\S+")
"""A first "sentence" like this is the page's title, as in "Rules of Engagement (TV series) - Recurring characters."."""

_FEWEST_WORDS = 3
"""A "sentence" of fewer words is a heading or an item of a list. No target reads on over it."""


_LEAST_COPIED, _MOST_SENTENCES = 0.5, 2
"""Share of an answer's bigrams from a document, and sentences that they lie in, for it to be a quote with few changes:
experts drop an "also" or put in a subject. These are quoted as they stand in the document."""


def whole_sentences(document: str, target: str) -> Span | None:
    """Return start and end of the sentences that hold the target, or that it was made of by few changes."""
    start = document.find(target)
    if start >= 0:
        part = start, start + len(target.rstrip())
    else:
        grounding = attribute(target, CleanDocument(document, source=document))
        if grounding.copied < _LEAST_COPIED or not grounding.sources:
            return None
        part = grounding.sources[0][0], grounding.sources[-1][1]
    sentences = sentence_spans(document)
    first, last = _holding(sentences, part)
    if start < 0 and last - first >= _MOST_SENTENCES:
        return None
    return sentences[first][0], sentences[last][1]


def grow(document: str, answer: Span, max_words: int) -> str:
    """Return the sentences of `answer`, and as many of the next ones as `max_words` leave room for."""
    sentences = sentence_spans(document)
    texts = [document[begin:end] for begin, end in sentences]
    sizes = [len(text.split()) for text in texts]
    first, last = _holding(sentences, answer)
    while last + 1 < len(texts) and not _is_heading(texts, last + 1) and sum(sizes[first : last + 2]) <= max_words:
        last += 1
    return document[sentences[first][0] : sentences[last][1]]


def following(document: str, summary: str) -> str:
    """Return the sentence after a quote, with what stands before it; "" where there is none, or no quote."""
    start = document.find(summary)
    if start < 0:
        return ""
    end = start + len(summary)
    sentences = sentence_spans(document)
    texts = [document[begin:after] for begin, after in sentences]
    place = next((i for i, (begin, _) in enumerate(sentences) if begin >= end), None)
    return "" if place is None or _is_heading(texts, place) else document[end : sentences[place][1]]


def _holding(sentences: list[Span], part: Span) -> Span:
    """Return the first and last of the sentences that hold a part of the document."""
    first = max(i for i, (begin, _) in enumerate(sentences) if begin <= part[0])
    last = min(i for i, (_, end) in enumerate(sentences) if end >= part[1])
    return first, last


def _is_heading(texts: list[str], place: int) -> bool:
    return len(texts[place].split()) < _FEWEST_WORDS or (place == 0 and _TITLE.fullmatch(texts[0]) is not None)
