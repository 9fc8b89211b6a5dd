"""BM25 over some ten thousand documents in memory, with the terms that the service itself searches by.

Robertson and Zaragoza, 2009, with the idf of Lucene's BM25Similarity. Weights are computed once, so that a query is
one addition for each of its terms.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from querygist.text.sentences import terms

_K1 = 1.2
_B = 0.75

Scores = NDArray[np.float32]


class Bm25:
    """An index of documents, which are known by their place in `documents`."""

    def __init__(self, documents: Sequence[str]) -> None:
        counted = [Counter(terms(document)) for document in documents]
        lengths = np.array([sum(count.values()) for count in counted], dtype=np.float32)
        norms = _K1 * (1 - _B + _B * lengths / max(1.0, float(lengths.mean()))) if documents else lengths
        places: dict[str, list[int]] = {}
        for place, count in enumerate(counted):
            for term in count:
                places.setdefault(term, []).append(place)
        self._size = len(documents)
        self._postings: dict[str, tuple[NDArray[np.int32], Scores]] = {}
        for term, holders in places.items():
            at = np.array(holders, dtype=np.int32)
            often = np.array([counted[place][term] for place in holders], dtype=np.float32)
            weights = self._idf(len(holders)) * often * (_K1 + 1) / (often + norms[at])
            self._postings[term] = (at, weights.astype(np.float32))

    def _idf(self, holders: int) -> float:
        return float(np.log(1 + (self._size - holders + 0.5) / (holders + 0.5)))

    def idf(self, term: str) -> float:
        """How rare a term is; of one that no document has, the most that any can have."""
        return self._idf(len(self._postings[term][0]) if term in self._postings else 0)

    def weight(self, wanted: Iterable[str]) -> float:
        """The sum of the idf of terms, each once."""
        return sum(self.idf(term) for term in sorted(set(wanted)))

    def scores(self, query: str) -> Scores:
        """The BM25 of each document."""
        found = np.zeros(self._size, dtype=np.float32)
        for term in dict.fromkeys(terms(query)):
            if term in self._postings:
                at, weights = self._postings[term]
                found[at] += weights
        return found
