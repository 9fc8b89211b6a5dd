"""The part of a document that speaks to a query: what a token budget holds, a snippet, or its sentences in order.

Sentences are ranked by BM25 over the sentences of the one document. The constants are the best of a grid on validation
rows of seven query-driven data sets; sentences vary less in length than documents, hence the low `_B`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from querygist.text import bm25
from querygist.text.sentences import Span, bounded_spans, terms

TokenCounter = Callable[[Sequence[str]], list[int]]
"""Number of tokens of each text."""

_B = 0.2  # how much a long sentence is discounted
_NEIGHBOUR = (
    0.15  # share of its neighbours' scores that a sentence gets: an answer often stands beside the query's words
)
_SNIPPET_SHARE = 0.75  # of the best sentence's score: what a further sentence of a snippet needs
_LONG_WORD = 15  # characters that count as a word where no space ends one

_MOST_CHARS_PER_TOKEN = 16  # text that is longer for its budget than this is not even counted as a whole
_BATCH_CHARS_PER_TOKEN = 6  # sentences counted at once, for the budget that is left


@dataclass(frozen=True, slots=True)
class Passage:
    """The text that the model gets to read. `spans` index the document; `truncated`: it is not all of it."""

    text: str
    spans: tuple[Span, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Snippet:
    """An extractive answer. Not `answerable`: no term of the query occurs; then `text` is "" and `spans` is empty."""

    text: str
    spans: tuple[Span, ...]
    answerable: bool


def _scores(document: str, sentences: Sequence[Span], query: str) -> list[float]:
    """BM25 of each sentence; all 0 when no term of the query occurs."""
    common = not terms(query)  # a query of nothing but stop words asks for them
    wanted = set(terms(query, common=common))
    tokens = [terms(document[start:end], common=common) for start, end in sentences]
    matches = [[token for token in sentence if token in wanted] for sentence in tokens]
    holding = Counter(term for match in matches for term in set(match))
    average = sum(map(len, tokens)) / len(tokens) or 1.0
    idf = {term: bm25.idf(len(tokens), count) for term, count in holding.items()}

    def score(match: list[str], length: int) -> float:
        norm = bm25.norm(length, average, _B)
        return sum(bm25.score(idf[term], count, norm) for term, count in Counter(match).items())

    return [score(match, len(sentence)) if match else 0.0 for match, sentence in zip(matches, tokens, strict=True)]


def _ranked(scores: Sequence[float]) -> tuple[list[int], list[float]]:
    """Indices of sentences, best first and equals in document order; and the scores, shared with neighbours."""
    around = [0.0, *scores, 0.0]
    shared = [around[i] + _NEIGHBOUR * (around[i - 1] + around[i + 1]) for i in range(1, len(around) - 1)]
    return sorted(range(len(shared)), key=lambda i: -shared[i]), shared


def select(document: str, query: str, *, budget: int, count: TokenCounter) -> Passage:
    """The sentences that speak most to the query, in document order, at most `budget` tokens of them (at least 1).

    `count` is called on few and short texts. A token is taken to stand
    for at least one byte of UTF-8. Neighbouring sentences keep what stands between them, gaps become a line feed; each
    sentence is charged one token for that. When not even the best sentence fits, its beginning is taken.
    """
    if budget < 1:
        raise ValueError(f"budget must be at least 1 token, not {budget}")
    whole = Passage(document, ((0, len(document)),) if document else (), truncated=False)
    if len(document.encode()) <= budget:
        return whole
    if len(document) <= budget * _MOST_CHARS_PER_TOKEN and count([document])[0] <= budget:
        return whole
    sentences = bounded_spans(document)
    if not sentences:
        return Passage("", (), truncated=True)
    order, _ = _ranked(_scores(document, sentences, query))
    chosen = _fill(document, sentences, order, budget, count)
    if not chosen:
        start, end = sentences[order[0]]
        end = _cut(document, start, end, budget, count)
        return Passage(document[start:end], ((start, end),), truncated=True)
    spans = tuple(_runs(sentences, sorted(chosen)))
    return Passage("\n".join(document[start:end] for start, end in spans), spans, truncated=True)


def _fill(
    document: str, sentences: Sequence[Span], order: Sequence[int], budget: int, count: TokenCounter
) -> list[int]:
    """The sentences that fit, tried in the order given."""
    chosen: list[int] = []
    tried = 0
    while tried < len(order) and budget > 1:
        batch, chars = [], 0
        for i in order[tried:]:
            batch.append(i)
            chars += sentences[i][1] - sentences[i][0]
            if chars > budget * _BATCH_CHARS_PER_TOKEN:
                break
        sizes = count([document[start:end] for start, end in (sentences[i] for i in batch)])
        fitted = False
        for i, size in zip(batch, sizes, strict=True):
            if size + 1 <= budget:
                chosen.append(i)
                budget -= size + 1
                fitted = True
        tried += len(batch)
        if not fitted:  # what is left is too small to look further
            break
    return chosen


def _cut(document: str, start: int, end: int, budget: int, count: TokenCounter) -> int:
    """An end that makes the text fit: after a word if there is one, and never before the first character."""
    while end - start > 1 and (size := count([document[start:end]])[0]) > budget:
        end = start + max(1, min(end - start - 1, (end - start) * budget // size))
        space = document.rfind(" ", start, end)
        end = space if space > start else end
    return end


def _runs(sentences: Sequence[Span], chosen: Sequence[int]) -> Iterator[Span]:
    """Spans of the chosen sentences, those that follow one another as one."""
    first = previous = chosen[0]
    for i in chosen[1:]:
        if i != previous + 1:
            yield sentences[first][0], sentences[previous][1]
            first = i
        previous = i
    yield sentences[first][0], sentences[previous][1]


def snippet(document: str, query: str, *, max_words: int) -> Snippet:
    """The sentences that speak most to the query, in document order, on one line, `max_words` at most.

    The best sentence, cut after a word if it is too long, and those that speak to the query nearly as much.
    """
    sentences = bounded_spans(document)
    scores = _scores(document, sentences, query) if sentences else []
    if not any(scores):
        return Snippet("", (), answerable=False)
    order, shared = _ranked(scores)
    near_best = [i for i in order if shared[i] >= _SNIPPET_SHARE * shared[order[0]]]
    chosen: dict[str, int] = {}  # by text, since pages repeat themselves
    room = max_words
    for i in near_best:
        text = document[slice(*sentences[i])]
        size = max(len(text.split()), len(text) // _LONG_WORD)
        if size <= room and text not in chosen:
            chosen[text] = i
            room -= size
        elif not chosen:
            start, end = sentences[i]
            end = _word_end(document, start, end, max_words)
            return Snippet(_line(document[start:end]), ((start, end),), answerable=True)
    spans = tuple(_runs(sentences, sorted(chosen.values())))
    return Snippet(" ".join(_line(document[start:end]) for start, end in spans), spans, answerable=True)


def ranked(document: str, query: str) -> tuple[list[Span], list[int]]:
    """The sentences of a document, and their indices with those first that share most with the query.

    No indices when no term of the query occurs.
    """
    sentences = bounded_spans(document)
    scores = _scores(document, sentences, query) if sentences else []
    return sentences, _ranked(scores)[0] if any(scores) else []


def _line(text: str) -> str:
    return " ".join(text.split())


def _word_end(document: str, start: int, end: int, max_words: int) -> int:
    """Return where the first `max_words` words end."""
    for count, word in enumerate(re.compile(r"\S+").finditer(document, start, end), 1):
        if count == max_words or word.end() - start >= max_words * _LONG_WORD:
            return min(word.end(), start + max_words * _LONG_WORD)
    return end
