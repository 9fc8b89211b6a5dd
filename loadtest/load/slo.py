"""Service level objectives: a TOML file, and a verdict on each.

    [in_time]              # an answer that does not stand in for another counts as goodput when it came within these, s
    e2el = 10.0            # every request carries this as its deadline, too
    ttft = 5.0             # of streams, which carry it as the deadline of their first text

    [e2el]                 # percentiles that answers stay below, s: p50, p95, p99
    p95 = 8.0

    [ttft]
    p95 = 4.0

    [at_most]              # shares of the summaries asked for: errors, fallbacks
    errors = 0.01

    [at_least]             # goodput, cache_hits
    goodput = 0.95

All but [in_time] may be left out. Times count from the moment a request was meant to be sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from loadtest.load.statistics import Limits, Summary
from querygist import json_files

Percentile = Literal["p50", "p95", "p99"]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective: `value` as measured, None where nothing came that it could be measured on."""

    objective: str
    bound: float
    value: float | None
    kept: bool

    @property
    def result(self) -> str:
        """In a word."""
        return "kept" if self.kept else "MISSED"

    def __str__(self) -> str:
        measured = "nothing to measure" if self.value is None else f"{self.value:.3g}"
        return f"{self.result}: {self.objective} {self.bound:g}, measured {measured}"


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Slo:
    """See the module."""

    in_time: Limits
    e2el: Mapping[Percentile, Seconds] = field(default_factory=dict)
    ttft: Mapping[Percentile, Seconds] = field(default_factory=dict)
    at_most: Mapping[Literal["errors", "fallbacks"], Share] = field(default_factory=dict)
    at_least: Mapping[Literal["goodput", "cache_hits"], Share] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ConfigurationError naming the file and the field."""
        return json_files.load(cls, path, "file of objectives", "loadtest/objectives has examples.")

    def judge(self, summary: Summary) -> Iterator[Verdict]:
        """A verdict on each objective. One on TTFT is left out where no stream was asked for."""
        for name, measured, bounds in (("e2el", summary.e2el, self.e2el), ("ttft", summary.ttft, self.ttft)):
            if name == "ttft" and not summary.streams:
                continue
            for percentile, bound in bounds.items():
                value = None if measured is None else getattr(measured, percentile)
                yield Verdict(f"{name} {percentile} <=", bound, value, value is not None and value <= bound)
        for share, bound in (*self.at_most.items(), *self.at_least.items()):
            value, least = getattr(summary.shares, share), share in self.at_least
            kept = value >= bound if least else value <= bound
            yield Verdict(f"{share} {'>=' if least else '<='}", bound, value, kept)
