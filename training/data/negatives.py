"""Queries with documents that do not answer them, so that the model learns to say so.

*Hard*: the document of the same source that BM25 likes most and that does not answer. Nobody has read these pairs, so
whatever hints at an answer excludes a document: it has the answer's text, or much of the answer's own terms; it shares
13 words with the query's own document; or a query much like this one was asked of it. *Unrelated*: any document that
BM25 sees nothing in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from querygist.text.sentences import terms
from training.data.bm25 import Bm25
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


@dataclass(frozen=True, slots=True)
class Negative:
    """A row's query and the document that does not answer it."""

    row: Row
    document: str
    kind: Kind


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
        self.bm25 = Bm25(self._documents)

    def hard(self, row: Row) -> Negative | None:
        """The most similar document of the row's source that does not answer; None when no near one will do."""
        everywhere = self.bm25.scores(row.query)
        least = _NEAR * float(everywhere.max())
        scores = np.where(self._sources == row.source, everywhere, 0)
        for place in np.argsort(-scores, kind="stable"):
            if scores[place] < max(least, _LEAST):
                return None
            if not self._may_answer(row, place):
                return Negative(row, self._documents[place], "hard")
        return None

    def unrelated(self, row: Row, seed: int) -> Negative | None:
        """A random document that BM25 sees nothing in; None when most documents speak to the query."""
        scores = self.bm25.scores(row.query)
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
            if own and self.bm25.weight(own & self._terms[place]) >= _ANSWERING * self.bm25.weight(own):
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
    """`each` negatives of both kinds, fewer where there are not so many, in random order.

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
