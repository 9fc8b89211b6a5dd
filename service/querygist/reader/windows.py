"""Long pages as inputs that overlap, and what is said of the windows as scores of the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from querygist.reader.input_format import InputEncoder, ReaderInput

OVERLAP = 0.5
"""Share of a window's units that the next one has, too."""

MOST_TOKENS = 2000
"""Of a page's units and headings; windows overlap, and so read about twice as many."""

_MOST_READ = 3 * MOST_TOKENS  # a bound for pages whose every unit has headings of its own

Floats = NDArray[np.float32]
Headings = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Window:
    """An input, and the index of each of its units in the page."""

    input: ReaderInput
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WindowScores:
    """`units` (logits), `similarities` (cosines): one for each unit of a window; `page`: its logit."""

    units: Sequence[float]
    similarities: Sequence[float]
    page: float


@dataclass(frozen=True, slots=True)
class PageScores:
    """`units` (logits) and `similarities` (cosines): float32[units], NaN for those that were not read; `page`: a logit,
    -inf of a page of which nothing was read.
    """

    units: Floats
    similarities: Floats
    page: float


def readable(
    encoder: InputEncoder,
    units: Sequence[str],
    headings: Headings,
    order: Iterable[int],
    most_tokens: int = MOST_TOKENS,
) -> list[int]:
    """Return, in page order, the first of `order` that have `most_tokens` together, each heading counted once.

    Units behind them are not tokenized.
    """
    chosen: list[int] = []
    written: set[tuple[str, ...]] = set()
    total = 0
    for index in order:
        path = tuple(headings[index])
        new = {path[:depth] for depth in range(1, len(path) + 1)} - written
        total += len(encoder.body(units[index])) + len(encoder.heading([above[-1] for above in new]))
        if total > most_tokens:
            break
        written |= new
        chosen.append(index)
    return sorted(chosen)


def windows(
    encoder: InputEncoder,
    query: str,
    units: Sequence[str],
    headings: Headings,
    chosen: Sequence[int] | None = None,
    max_tokens: int | None = None,
) -> list[Window]:
    """Return the windows over the units `chosen`, in page order (None: over all), each as long as fits `max_tokens`.

    A unit that with its headings is longer than a window is in none, nor are those behind _MOST_READ tokens of a page
    of which units were chosen.
    """
    places = range(len(units)) if chosen is None else chosen
    found: list[Window] = []
    start = total = 0
    while start < len(places):
        ahead = places[start:]
        encoded = encoder.encode(query, [units[n] for n in ahead], [headings[n] for n in ahead], max_tokens)
        count = len(encoded.places)
        if not count:
            start += 1
            continue
        total += len(encoded.ids)
        if chosen is not None and total > _MOST_READ:
            break
        found.append(Window(encoded, tuple(ahead[:count])))
        if start + count >= len(places):
            break
        start += max(1, round(count * (1 - OVERLAP)))
    return found


def merged(count: int, found: Iterable[tuple[Window, WindowScores]]) -> PageScores:
    """Return the scores of a page of `count` units: of a unit the mean of its windows, of the page the best one's."""
    sums = np.zeros((3, count), np.float32)
    best = -np.inf
    for window, scores in found:
        units = list(window.units)
        sums[:, units] += np.stack([scores.units, scores.similarities, np.ones(len(units))])
        best = max(best, scores.page)
    with np.errstate(invalid="ignore"):  # 0 / 0: not read
        return PageScores(sums[0] / sums[2], sums[1] / sums[2], best)
