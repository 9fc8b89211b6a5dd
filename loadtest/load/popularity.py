"""Which query is asked: a few again and again, most hardly ever, as search logs show (Zipf's law)."""

from itertools import count
from typing import Protocol

import numpy as np


class Popularity(Protocol):
    """Draws queries by rank."""

    def draw(self) -> int:
        """The next query's rank, 0 the most popular."""
        ...


class Zipf:
    """Ranks 0 to `population` - 1, rank r with a probability in proportion to 1 / (r + 1) ** `exponent`."""

    def __init__(self, population: int, exponent: float, random: np.random.Generator) -> None:
        weights = np.arange(1, population + 1, dtype=float) ** -exponent
        self.probabilities = weights / weights.sum()
        self._cumulative = np.cumsum(self.probabilities)
        self._random = random

    def draw(self) -> int:
        """See `Popularity`."""
        rank = int(np.searchsorted(self._cumulative, self._random.random(), side="right"))
        return min(rank, len(self._cumulative) - 1)  # rounding may leave the sum a little below 1


class Distinct:
    """Every query once: nothing can be answered from memory."""

    def __init__(self) -> None:
        self._numbers = count()

    def draw(self) -> int:
        """See `Popularity`."""
        return next(self._numbers)
