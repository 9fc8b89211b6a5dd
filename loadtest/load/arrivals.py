"""Arrivals of requests: moments drawn or read beforehand, whatever the service does (an open loop).

Poisson arrivals whose rate may change: thinning, after Lewis and Shedler, "Simulation of nonhomogeneous Poisson
processes by thinning" (1979). Times are seconds from the start of the run, rates requests a second.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import cos, inf, pi
from pathlib import Path
from types import MappingProxyType

import numpy as np

from querygist.errors import ConfigurationError

SHAPES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "constant": lambda _: 0.0,
        "ramp": lambda share: share,
        "spike": lambda share: float(0.4 <= share < 0.6),
        "diurnal": lambda share: (1 - cos(2 * pi * share)) / 2,
    }
)
"""From the share of the run that is over, 0-1, to how far the rate has gone from its base to its peak, 0-1."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A rate that changes between `base` and `peak` over a run of `seconds`, by one of `SHAPES`.

    Raises ConfigurationError when it cannot be run.
    """

    base: float
    peak: float
    seconds: float
    shape: str = "constant"

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ConfigurationError(f"There is no shape {self.shape!r}. Take one of {', '.join(SHAPES)}.")
        if self.shape != "constant" and self.seconds == inf:
            raise ConfigurationError(f"A {self.shape} needs to know how long the run is: give a run time.")
        if min(self.base, self.peak) < 0 or self.highest <= 0:
            raise ConfigurationError(
                f"Rates from {self.base:g} to {self.peak:g} a second send nothing: give positive ones."
            )

    @property
    def highest(self) -> float:
        """A bound that the rate never exceeds."""
        return self.base if self.shape == "constant" else max(self.base, self.peak)

    def at(self, moment: float) -> float:
        """The rate at a moment of the run."""
        return self.base + (self.peak - self.base) * SHAPES[self.shape](moment / self.seconds)


def constant(rate: float, seconds: float = inf) -> Profile:
    """The same rate all along."""
    return Profile(rate, rate, seconds)


def poisson(profile: Profile, seed: int) -> Iterator[float]:
    """Moments of a Poisson process with this rate, in order; the same for the same seed."""
    random = np.random.default_rng(seed)
    moment = 0.0
    while (moment := moment + random.exponential(1 / profile.highest)) < profile.seconds:
        if random.random() * profile.highest < profile.at(moment):
            yield moment


def replayed(path: Path) -> list[float]:
    """The moments in a file, one a line, in order. Raises ConfigurationError naming the file and what is wrong."""
    try:
        moments = [float(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise ConfigurationError(f"Cannot read the trace {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a trace, one moment in seconds a line: {error}.") from error
    if not moments or not all(0 <= moment < inf for moment in moments):
        raise ConfigurationError(f"{path} is not a trace: it needs moments, each of 0 seconds or more.")
    if any(later < earlier for earlier, later in pairwise(moments)):
        raise ConfigurationError(f"The moments in {path} are not in order. Sort them.")
    return moments
