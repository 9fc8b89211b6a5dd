"""Chance that depends on the seed and on names only: not on the order of rows, nor on a library's version."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def draw(seed: int, *names: object) -> float:
    """Return a number, uniform in [0, 1), the same for the same seed and names everywhere and always."""
    digest = blake2b("\x1f".join(map(str, (seed, *names))).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / (1 << 53)


def choose(options: Sequence[T], seed: int, *names: object) -> T:
    """Return one of the options. Raises IndexError when there is none."""
    return options[int(draw(seed, *names) * len(options))]


def between(low: int, high: int, seed: int, *names: object) -> int:
    """Return a whole number, uniform from `low` to `high`, both included."""
    return low + int(draw(seed, *names) * (high - low + 1))
