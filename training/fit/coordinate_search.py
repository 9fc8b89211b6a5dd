"""Coordinate search over named numbers: one after the other is set to the value of its grid that scores best.

An objective gives a score for each of the same examples, so two points are compared example by example. Every point
that is looked at is logged, once; a search that comes by again takes it from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from training.stable_random import draw

Point = Mapping[str, float]
Scores = Sequence[float]
Objective = Callable[[Point], Scores]
"""The score of each example at a point; always as many, in the same order."""


@dataclass(frozen=True, slots=True)
class Look:
    """One point that was looked at, and the mean of all its scores."""

    point: Point
    mean: float


@dataclass(slots=True)
class Looks:
    """An objective that remembers. `log` hears of each new look."""

    objective: Objective
    log: Callable[[Look], None] = lambda _: None
    found: list[Look] = field(default_factory=list)
    _scores: dict[tuple[tuple[str, float], ...], Scores] = field(default_factory=dict)

    def at(self, point: Point) -> Scores:
        """Return the scores at a point."""
        key = tuple(sorted(point.items()))
        if key not in self._scores:
            self._scores[key] = self.objective(point)
            self.found.append(Look(dict(point), fmean(self._scores[key])))
            self.log(self.found[-1])
        return self._scores[key]


def search(
    looks: Looks,
    start: Point,
    grids: Mapping[str, Sequence[float]],
    *,
    rows: Sequence[int],
    seed: int,
    min_gain: float,
    rounds: int,
) -> dict[str, float]:
    """Return the point where no single parameter gains `min_gain` in the mean over `rows`, or that of the last round.

    `rows`: the indices of the examples that decide. Parameters are visited in an order drawn anew for each round.
    Raises KeyError for a grid of no parameter.
    """
    unknown = grids.keys() - start.keys()
    if unknown:
        raise KeyError(f"there is no parameter {', '.join(sorted(unknown))}, only {', '.join(sorted(start))}")

    def mean(point: Point) -> float:
        scores = looks.at(point)
        return fmean(scores[row] for row in rows)

    here = dict(start)
    for round_ in range(rounds):
        before = dict(here)
        for name in sorted(grids, key=lambda name: draw(seed, "coordinate", round_, name)):
            best = max(grids[name], key=lambda value: mean(here | {name: value}))
            if mean(here | {name: best}) >= mean(here) + min_gain:
                here[name] = best
        if here == before:
            break
    return here
