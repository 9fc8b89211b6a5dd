"""One score for each unit of a page, from what the reader and BM25 say of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

from querygist.reader.pages import Reading
from querygist.text.ranking import WEIGHTS, Ranking, Weights
from querygist.text.units import LIST_KINDS, Unit

FEATURES = ("answer", "similarity", "words", "first")


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a unit's probability of answering, fitted on validation rows: `python -m training fit-fusion`.

    `answer` and `similarity`: of the reader's logit and cosine; `words`: of the BM25 score, as a share of the page's
    best; `first`: of being the first unit, half of it for the second, and so on. `entry`, `next_bonus`: of the quote,
    in place of BM25's (`text.ranking.Weights`).

    `listed`: of the BM25 score, beside `words`, for list items, rows, definitions and lines of code, which say little
    without the headings that BM25 sees. Not fitted: the rows have next to none. Chosen on pages of our own.
    """

    bias: float
    answer: float
    similarity: float
    words: float
    first: float
    listed: float
    entry: float
    next_bonus: float

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> Self:
        """Take the weights of a reader's card. Raises KeyError for one that it lacks."""
        return cls(**{field.name: weights[field.name] for field in fields(cls)})

    @property
    def quote_weights(self) -> Weights:
        """The weights by which a quote is made of fused scores."""
        return replace(WEIGHTS, entry=self.entry, next_bonus=self.next_bonus)

    def fused(self, ranking: Ranking, reading: Reading) -> Ranking:
        """Return the ranking by both. Units that were not read, of a long page, come last with a score of 0."""
        scores = [
            0.0
            if columns is None
            else self._score(columns, unit) * (1 - WEIGHTS.boilerplate if unit.boilerplate else 1.0)
            for columns, unit in zip(features(ranking, reading), ranking.units, strict=True)
        ]
        order = sorted((place for place, score in enumerate(scores) if score), key=lambda place: -scores[place])
        return replace(ranking, scores=scores, order=order)

    def _score(self, columns: Sequence[float], unit: Unit) -> float:
        weights = (getattr(self, name) for name in FEATURES)
        logit = self.bias + sum(weight * column for weight, column in zip(weights, columns, strict=True))
        if unit.kind in LIST_KINDS:
            logit += self.listed * (columns[FEATURES.index("words")] - 0.5)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def features(ranking: Ranking, reading: Reading) -> list[tuple[float, ...] | None]:
    """Return FEATURES of each unit; None of one that was not read."""
    best = max(ranking.scores, default=0.0) or 1.0
    return [
        None if answer is None or similarity is None else (answer, similarity, words / best, 1 / (1 + place))
        for place, (answer, similarity, words) in enumerate(
            zip(reading.units, reading.similarities, ranking.scores, strict=True)
        )
    ]
