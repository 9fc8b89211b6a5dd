"""ROUGE F1 as everyone computes it (Google's rouge-score, Porter stemmer), and bootstrap intervals of its means.

Intervals are percentiles of the means of resamples (Efron and Tibshirani, 1993, chapter 13). Two systems that wrote for
the same examples are compared by the interval of their differences, example by example: how hard an example is moves
both scores alike, and leaves their difference alone (Koehn, EMNLP 2004). Examples of one query are no
independent draws: they are resampled together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nltk.stem.porter import PorterStemmer
from numpy.typing import NDArray
from rouge_score import rouge_scorer, tokenize, tokenizers

_RESAMPLES = 2_000
_PERCENTILES = (2.5, 97.5)
_BLOCK = 1_000_000  # numbers drawn at once: 8 MB

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rouge:
    """F1 x 100 of one text."""

    rouge1: float
    rouge2: float
    rouge_l: float


NOTHING = Rouge(0.0, 0.0, 0.0)
"""Of an empty text."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `rows` examples, and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float
    rows: int


class _CachedStems:
    """nltk's Porter stemmer takes some 20 microseconds a word, and a test set has few words that are new."""

    def __init__(self) -> None:
        self.stem = lru_cache(maxsize=1 << 17)(PorterStemmer().stem)


class _Tokenizer(tokenizers.Tokenizer):  # type: ignore[misc]
    """rouge-score's own tokens. A text is scored against several references, or several texts against one."""

    def __init__(self) -> None:
        stems = _CachedStems()
        self._tokens = lru_cache(maxsize=64)(lambda text: tokenize.tokenize(text, stems))

    def tokenize(self, text: str) -> list[str]:
        """Lower-case stems of runs of a-z and 0-9."""
        tokens: list[str] = self._tokens(text)
        return tokens


_TOKENIZER = _Tokenizer()
_ALL = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_TOKENIZER)
_ROUGE2 = rouge_scorer.RougeScorer(["rouge2"], tokenizer=_TOKENIZER)


def score(text: str, references: Sequence[str]) -> Rouge:
    """Each metric against the reference that is best by it. Raises ValueError when there is no reference."""
    found = _ALL.score_multi(references, text)
    return Rouge(*(100 * found[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")))


def rouge2(text: str, references: Sequence[str]) -> float:
    """`score(text, references).rouge2`, without the slow longest common subsequence."""
    return float(100 * _ROUGE2.score_multi(references, text)["rouge2"].fmeasure)


def interval(values: Sequence[float], *, seed: int, clusters: Sequence[str] | None = None) -> Interval:
    """The mean of at least one value and its interval; the same for the same values and seed.

    `clusters`: what each value belongs to, its query say. Values of one cluster are drawn together, since they are
    right or wrong together; without it each value is drawn by itself.
    """
    if not len(values):
        raise ValueError("nothing has no mean")
    numbers = np.asarray(values, dtype=np.float64)
    sums, counts = _by_cluster(numbers, clusters)
    means = _resampled_means(sums, counts, np.random.default_rng(seed))
    mean, (low, high) = float(numbers.mean()), np.percentile(means, _PERCENTILES)
    # Means of equal numbers differ in the last bit with the order in which they are added.
    return Interval(mean, min(mean, float(low)), max(mean, float(high)), len(numbers))


def difference(
    first: Sequence[float], second: Sequence[float], *, seed: int, clusters: Sequence[str] | None = None
) -> Interval:
    """The mean of `first` minus `second`, and its interval; both have one value for each of the same examples."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return interval([a - b for a, b in zip(first, second, strict=True)], seed=seed, clusters=clusters)


def _by_cluster(numbers: Numbers, clusters: Sequence[str] | None) -> tuple[Numbers, Numbers]:
    """Return the sum of each cluster's numbers, and how many they are."""
    if clusters is None:
        return numbers, np.ones_like(numbers)
    if len(clusters) != len(numbers):
        raise ValueError(f"{len(numbers)} values cannot belong to {len(clusters)} clusters")
    places = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    members = [places[name] for name in clusters]
    return _sums(members, numbers), _sums(members, np.ones_like(numbers))


def _sums(members: Sequence[int], numbers: Numbers) -> Numbers:
    return np.bincount(members, weights=numbers).astype(np.float64)


def _resampled_means(sums: Numbers, counts: Numbers, chance: np.random.Generator) -> list[float]:
    """Return means over all values of as many clusters as there are, drawn with replacement."""
    size = len(sums)
    means: list[float] = []
    while len(means) < _RESAMPLES:
        drawn = chance.integers(size, size=(min(_RESAMPLES - len(means), max(1, _BLOCK // size)), size))
        means += (sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)).tolist()
    return means
