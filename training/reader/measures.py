"""Measures of a reader over pages with labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ENOUGH = 0.85
"""Share of the wanted words from which nothing more is looked for."""

_MOST = 1.1
"""Share of the wanted words that a further unit must stay below."""


def fill(texts: Sequence[str], scores: Floats, words: float) -> str:
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


def auc(answering: Floats, others: Floats) -> float:
    """Return how often a page that answers scores above one that does not; a tie is half."""
    below = answering[:, None] > others[None, :]
    equal = answering[:, None] == others[None, :]
    return float((below + 0.5 * equal).mean())


def standardized(scores: Floats) -> Floats:
    """Return scores of mean 0 and deviation 1 within their page, 0 where all are equal."""
    found: Floats = (scores - np.nanmean(scores)) / max(float(np.nanstd(scores)), 1e-6)
    return found


def percent(values: Any) -> float:
    """Return the share of truths, x 100."""
    return 100 * float(np.mean(values)) if len(values) else float("nan")
