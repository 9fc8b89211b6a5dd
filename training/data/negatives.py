"""Queries with documents that do not answer them, so that the model learns to say so.

*Hard*: the document of the same source that BM25 likes most and that does not answer. Nobody has read these pairs, so
whatever hints at an answer excludes a document: it has the answer's text, or much of the answer's own terms; it shares
13 words with the query's own document; or a query much like this one was asked of it. *Unrelated*: any document that
BM25 sees nothing in.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from querygist.text import bm25
from querygist.text.sentences import terms
from training.data.deduplication import Runs, folded_words
from training.data.examples import Kind
from training.data.raw_dataset import Row
from training.stable_random import choose, draw

_NEAR = 0.4
"""Share of the best document's BM25, mostly the query's own, below which a document is not hard."""

_ANSWERING = 0.4
"""Share of the answer's own terms, by idf, above which a document may well answer in other words."""

_ALIKE = 0.5
"""Share of common terms (Jaccard) above which two queries may have the same answer."""

_FAR = 0.1
"""Share of the best document's BM25 below which a document has nothing to do with the query."""

_LEAST = 1e-6
_TRIES = 100

_B = 0.75
"""How much BM25 discounts a long document."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Negative:
    """A row's query and the document that does not answer it."""

    row: Row
    document: str
    kind: Kind


class Bm25Index:
    """BM25 over documents in memory, known by their place; weights are computed once, and a query adds them up."""

    def __init__(self, documents: Sequence[str]) -> None:
        counted = [Counter(terms(document)) for document in documents]
        lengths = np.array([sum(count.values()) for count in counted], dtype=np.float32)
        norms = bm25.norm(lengths, max(1.0, float(lengths.mean())), _B) if documents else lengths
        places: dict[str, list[int]] = {}
        for place, count in enumerate(counted):
            for term in count:
                places.setdefault(term, []).append(place)
        self._size = len(documents)
        self._postings: dict[str, tuple[NDArray[np.int32], Scores]] = {}
        for term, holders in places.items():
            at = np.array(holders, dtype=np.int32)
            counts = np.array([counted[place][term] for place in holders], dtype=np.float32)
            self._postings[term] = at, bm25.score(bm25.idf(self._size, len(holders)), counts, norms[at])

    def idf(self, term: str) -> float:
        """Return how rare a term is; of one that no document has, the most that any can have."""
        return bm25.idf(self._size, len(self._postings[term][0]) if term in self._postings else 0)

    def weight(self, wanted: Iterable[str]) -> float:
        """Return the sum of the idf of terms, each once."""
        return sum(self.idf(term) for term in sorted(set(wanted)))

    def scores(self, query: str) -> Scores:
        """Return the BM25 of each document, float32[documents]."""
        found = np.zeros(self._size, dtype=np.float32)
        for term in dict.fromkeys(terms(query)):
            if term in self._postings:
                at, weights = self._postings[term]
                found[at] += weights
        return found


class Pool:
    """Documents to take negatives from, all of one split, and the queries asked of them."""

    def __init__(self, rows: Sequence[Row], runs: Runs) -> None:
        asked: dict[str, list[Row]] = {}
        for row in rows:
            asked.setdefault(row.document, []).append(row)
        self._documents = list(asked)
        self._sources = np.array([asked[document][0].source for document in self._documents])
        self._queries = [[frozenset(terms(row.query)) for row in asked[document]] for document in self._documents]
        self._terms = [frozenset(terms(document)) for document in self._documents]
        self._folded = [f" {' '.join(folded_words(document))} " for document in self._documents]
        self._runs = runs
        self._index = Bm25Index(self._documents)

    def hard(self, row: Row) -> Negative | None:
        """Return the most similar document of the row's source that does not answer; None when no near one will do."""
        everywhere = self._index.scores(row.query)
        least = _NEAR * float(everywhere.max())
        scores = np.where(self._sources == row.source, everywhere, 0)
        for place in np.argsort(-scores, kind="stable"):
            if scores[place] < max(least, _LEAST):
                return None
            if not self._may_answer(row, place):
                return Negative(row, self._documents[place], "hard")
        return None

    def unrelated(self, row: Row, seed: int) -> Negative | None:
        """Return a random document that BM25 sees nothing in; None when most documents speak to the query."""
        scores = self._index.scores(row.query)
        best = float(scores.max())
        for attempt in range(_TRIES):
            place = choose(range(len(self._documents)), seed, "unrelated", row.id, attempt)
            if scores[place] <= _FAR * best and not self._may_answer(row, place):
                return Negative(row, self._documents[place], "unrelated")
        return None

    def _may_answer(self, row: Row, place: int) -> bool:
        document = self._documents[place]
        query = frozenset(terms(row.query))
        if document == row.document or any(_alike(query, other) for other in self._queries[place]):
            return True
        for answer in {row.summary, *row.references}:
            if f" {' '.join(folded_words(answer))} " in self._folded[place]:
                return True
            own = frozenset(terms(answer)) - query
            if own and self._index.weight(own & self._terms[place]) >= _ANSWERING * self._index.weight(own):
                return True
        return self._runs.share(document, row.document)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return one == other or len(one & other) >= _ALIKE * len(one | other)


def make(
    rows: Sequence[Row],
    pool: Pool,
    *,
    each: int,
    hard: Callable[[Row], bool],
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> list[Negative]:
    """Return `each` negatives of both kinds, fewer where there are not so many, in random order.

    `hard`: whether a row's source allows hard negatives. A row has at most one negative of a kind. `advance` is called
    for each one made.
    """
    finders: dict[Kind, Callable[[Row], Negative | None]] = {
        "hard": lambda row: pool.hard(row) if hard(row) else None,
        "unrelated": lambda row: pool.unrelated(row, seed),
    }
    made: list[Negative] = []
    for kind, find in finders.items():
        shuffled = sorted(rows, key=lambda row: draw(seed, kind, row.id))
        for negative in islice(filter(None, map(find, shuffled)), each):
            made.append(negative)
            advance()
    return made
