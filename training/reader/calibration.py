"""The page's score as a probability: one temperature, and how far from the truth what comes out is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 10
_TEMPERATURES = np.geomspace(1 / 20, 20, 400)


@dataclass(frozen=True, slots=True)
class Bin:
    """Pages whose probability fell between two tenths: how many, their mean probability, the share that answers."""

    pages: int
    probability: float
    answering: float


def probability(logits: Any, temperature: float) -> Any:
    """Return 1 / (1 + exp(-logit / temperature)), of a number or of an array."""
    return 0.5 * (1 + np.tanh(logits / temperature / 2))


def negative_log_likelihood(logits: Floats, answerable: Floats, temperature: float) -> float:
    """Return the mean nats that the labels cost."""
    scaled = logits / temperature
    return float(np.mean(np.logaddexp(0, scaled) - answerable * scaled))


def fit_temperature(logits: Floats, answerable: Floats) -> float:
    """Return the temperature at which the labels are most likely (Guo et al. 2017): of 400 from 1/20 to 20."""
    costs = [negative_log_likelihood(logits, answerable, temperature) for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[np.argmin(costs)])


def reliability(probabilities: Floats, answerable: Floats) -> list[Bin]:
    """Return the bins that have pages, of ten of equal width."""
    places = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    return [
        Bin(int(there.sum()), float(probabilities[there].mean()), float(answerable[there].mean()))
        for there in (places == place for place in range(_BINS))
        if there.any()
    ]


def expected_calibration_error(probabilities: Floats, answerable: Floats) -> float:
    """Return the mean distance of probability and share that answers over the bins, weighted by pages."""
    bins = reliability(probabilities, answerable)
    total = sum(found.pages for found in bins)
    return sum(found.pages * abs(found.probability - found.answering) for found in bins) / total
