"""Costs of one forward pass of the served CPU engine: a measured table, and what lies between its points.

The file, written by `python -m loadtest costs`:

    {"machine": {...}, "model": {...},
     "prompt": [{"tokens": 128, "context": 0, "sequences": 1, "seconds": 0.11, "samples": 5}, ...],
     "decode": [{"tokens": 48, "context": 512, "sequences": 8, "seconds": 0.09, "samples": 5}, ...]}

A point is one pass: `tokens` in all, of `sequences` sequences, each with `context` tokens cached before, on average;
`seconds` is the median of `samples`. In `prompt` points a piece of one prompt is read (one row of logits at most), in
`decode` points every token gets logits.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.sizing.roofline import Work


@dataclass(frozen=True, slots=True)
class Point:
    """One measured pass; see the module."""

    tokens: int
    context: int
    sequences: int
    seconds: float
    samples: int


@dataclass(frozen=True, slots=True)
class CpuCosts:
    """The table. `seconds` is a cost for `simulator.simulate`.

    Between points it is linear in tokens, in context and in sequences; beyond them, in tokens only.
    """

    machine: dict[str, str | int | float]
    model: dict[str, str | int | float]
    prompt: tuple[Point, ...]
    decode: tuple[Point, ...]

    def __post_init__(self) -> None:
        points = (*self.prompt, *self.decode)
        if not self.prompt or not self.decode or min(point.seconds for point in points) <= 0:
            raise ConfigurationError(
                "A table of costs needs `prompt` and `decode` points of more than 0 seconds: measure it again."
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "table of costs", "Measure them with `python -m loadtest costs`.")

    def seconds(self, sequences: Sequence[Work]) -> float:
        """One pass over `sequences`. Prompts cost what their tokens add to the pass in which the others decode."""
        decoding = [work for work in sequences if work.logit_rows == work.new_tokens]
        reading = [work for work in sequences if work.logit_rows != work.new_tokens]
        tokens = sum(work.new_tokens for work in decoding)
        total = 0.0
        if decoding:
            context = sum(work.context_tokens for work in decoding) / len(decoding)
            total = self.decode_seconds(tokens, len(decoding), context)
        if reading:
            context = sum(work.context_tokens for work in reading) / len(reading)
            read = sum(work.new_tokens for work in reading)
            total += self.prompt_seconds(tokens + read, context)
            if tokens:
                total -= self.prompt_seconds(tokens, context)
        return total

    def decode_seconds(self, tokens: float, sequences: float, context: float) -> float:
        """A pass of `sequences` decoding sequences, `tokens` in all."""
        return _surface(
            self.decode,
            sequences,
            lambda points: _surface(points, context, lambda at: _curve(at, tokens), "context"),
            "sequences",
        )

    def prompt_seconds(self, tokens: float, context: float) -> float:
        """A pass that reads `tokens` of prompts behind `context` cached ones."""
        return _surface(self.prompt, context, lambda points: _curve(points, tokens), "context")


def _surface(points: Sequence[Point], at: float, inner: Callable[[Sequence[Point]], float], field: str) -> float:
    """Group by `field`; linear between the two groups around `at`, beyond the outer ones like the outer ones."""
    groups: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        groups[getattr(point, field)].append(point)
    places = sorted(groups)
    return float(np.interp(at, places, [inner(groups[place]) for place in places]))


def _curve(points: Sequence[Point], tokens: float) -> float:
    """Linear between measured numbers of tokens, and on along the last line.

    What was measured longer for fewer tokens is noise, and raises what comes after it: time never falls, so that no
    line goes below zero.
    """
    places, measured = zip(*sorted((point.tokens, point.seconds) for point in points), strict=True)
    rising = np.maximum.accumulate(measured)
    beyond = tokens - places[-1]
    if beyond > 0 and len(places) > 1:
        return float(rising[-1] + beyond * (rising[-1] - rising[-2]) / (places[-1] - places[-2]))
    return float(np.interp(tokens, places, rising))
