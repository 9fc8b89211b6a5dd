"""BM25 (Robertson and Zaragoza, 2009) with the idf of Lucene's BM25Similarity, which is never negative.

Numbers, or arrays of them: the formula is the same over the sentences of one document and over ten thousand documents.
"""

from math import log
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # only arrays need numpy
    from numpy import float32
    from numpy.typing import NDArray

_K1 = 1.2  # how soon a repeated term stops counting

Number = TypeVar("Number", float, "NDArray[float32]")


def idf(size: int, holding: int) -> float:
    """Return the inverse document frequency of a term that `holding` of `size` texts have."""
    return log(1 + (size - holding + 0.5) / (holding + 0.5))


def norm(length: Number, average: float, b: float) -> Number:
    """Return what `score` divides by for a text of `length` terms; `b`: how much a long text is discounted, 0 to 1."""
    return _K1 * (1 - b + b * length / average)


def score(idf_: float, count: Number, norm_: Number) -> Number:
    """Return what a term adds to the score of a text that has it `count` times."""
    return idf_ * count * (_K1 + 1) / (count + norm_)
