"""A quote from scores: the best units that fill a length, and the scores of BM25 to compare with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.negatives import Bm25Index

_ENOUGH = 0.85
"""Share of the wanted words from which nothing more is looked for."""

_MOST = 1.1
"""Share of the wanted words that a further unit must stay below."""


def fill(texts: Sequence[str], scores: NDArray[np.float32], words: float) -> str:
    """Return the best unit, and the next best that fit, in the page's order."""
    lengths = [len(text.split()) for text in texts]
    chosen: list[int] = []
    total = 0
    for place in np.argsort(-scores, kind="stable").tolist():
        if total >= _ENOUGH * words:
            break
        if not chosen or total + lengths[place] <= _MOST * words:
            chosen.append(place)
            total += lengths[place]
    return " ".join(texts[place] for place in sorted(chosen))


def bm25(query: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the BM25 of each text among the others of its page, the first of equals a little higher."""
    scores = Bm25Index(texts).scores(query)
    found: NDArray[np.float32] = scores - np.float32(1e-4) * np.arange(len(texts), dtype=np.float32)
    return found
