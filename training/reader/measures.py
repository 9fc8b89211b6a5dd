"""Measures of a reader over pages with labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from querygist.evaluation.rouge import rouge2
from training.reader.mixture import Page
from training.reader.selection import fill

Floats = NDArray[np.float64]


def top1(pages: Sequence[Page], scores: Sequence[NDArray[np.float32]]) -> list[bool]:
    """Return of each page that has a unit that answers if the best-scored one does."""
    return [
        bool(page.units[int(found.argmax())].answers)
        for page, found in zip(pages, scores, strict=True)
        if any(unit.answers for unit in page.units)
    ]


def quotes(
    pages: Sequence[Page], scores: Sequence[NDArray[np.float32]], answers: Sequence[Sequence[str]], words: float
) -> list[float]:
    """Return the ROUGE-2 F1 of the quote of `words` words that the scores choose, for each page."""
    return [
        rouge2(fill([unit.text for unit in page.units], found, words), wanted)
        for page, found, wanted in zip(pages, scores, answers, strict=True)
    ]


def mean_words(answers: Sequence[Sequence[str]]) -> float:
    """Return the mean length of the first answers."""
    return float(np.mean([len(wanted[0].split()) for wanted in answers]))


def auc(answering: Floats, others: Floats) -> float:
    """Return how often a page that answers scores above one that does not; a tie is half."""
    below = answering[:, None] > others[None, :]
    equal = answering[:, None] == others[None, :]
    return float((below + 0.5 * equal).mean())


def refused(answering: Floats, others: Floats, false_refusals: float = 0.05) -> float:
    """Return the share of `others` below the score that `false_refusals` of the answering pages are below."""
    return float((others < np.quantile(answering, false_refusals)).mean())


def standardized(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores of mean 0 and deviation 1 within their page, 0 where all are equal."""
    found: NDArray[np.float32] = (scores - scores.mean()) / max(float(scores.std()), 1e-6)
    return found
