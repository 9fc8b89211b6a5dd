"""Options of a load test: those of Locust's command line and fields of its web page, beside its own."""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Self

from loadtest.load.arrivals import SHAPES, Profile, poisson, replayed
from loadtest.load.slo import Slo
from loadtest.load.traffic import Traffic, parse_mix
from querygist.errors import ConfigurationError
from querygist.evaluation.rows import BUILT_IN, rows

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser


def register(parser: "LocustArgumentParser") -> None:
    """Add the options. Each has a value, "" or 0 for none: Locust's web page knows a field's type by it."""
    add = parser.add_argument
    add("--rate", type=float, default=1.0, help="Requests a second, Poisson arrivals (--users has no effect)")
    add("--shape", choices=list(SHAPES), default="constant", help="How the rate changes over the run time")
    add("--peak", type=float, default=0.0, help="The rate that a ramp, a spike or a day goes up to")
    add("--trace", default="", help="File of moments to send at instead, in seconds, one a line")
    add("--mix", default="json=1,stream=1", help="Weights of kinds of requests: json, stream, page (ten results)")
    add("--data", default=str(BUILT_IN), help="JSONL with query and document")
    add("--population", type=int, default=10_000, help="How many different queries there are")
    add("--zipf", type=float, default=1.0, help="Exponent of the queries' popularity (Zipf); 0: all alike")
    add("--distinct", action="store_true", help="No query twice: nothing comes from the cache")
    add("--seed", type=int, default=0, help="Draws arrivals and requests")
    add("--slo", default="", help="TOML file of objectives; exit code 1 when one is missed")
    add("--warm-up", type=float, default=0.0, help="Seconds at the start that are not counted")
    add("--report", default="load-report", help="Folder for report.md, report.json and report.png")
    add("--api-key", default="", env_var="QUERYGIST_API_KEY", is_secret=True, help="Sent as a bearer token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options as they were given; `run_time` in seconds, 0 for no end."""

    host: str
    run_time: float
    rate: float
    shape: str
    peak: float
    trace: str
    mix: str
    data: str
    population: int
    zipf: float
    distinct: bool
    seed: int
    slo: str
    warm_up: float
    report: str

    @classmethod
    def of(cls, parsed: Namespace, host: str | None) -> Self:
        """From what Locust parsed. A trace without a run time takes as long as it takes."""
        if not host:
            raise ConfigurationError("Name the server: --host http://127.0.0.1:8000.")
        given = {one.name: getattr(parsed, one.name) for one in fields(cls) if one.name not in {"host", "run_time"}}
        run_time = float(parsed.run_time or (parsed.trace and ceil(replayed(Path(parsed.trace))[-1] + 1)) or 0)
        options = cls(host=host, run_time=run_time, **given)
        if run_time and options.warm_up >= run_time:
            raise ConfigurationError(f"A warm-up of {options.warm_up:g} s leaves nothing of {run_time:g} s to measure.")
        return options

    def moments(self) -> Iterable[float]:
        """Moments to send at, in seconds from the start."""
        end = self.run_time or inf
        if self.trace:
            return [moment for moment in replayed(Path(self.trace)) if moment < end]
        return poisson(Profile(self.rate, self.peak or self.rate, end, self.shape), self.seed)

    def traffic(self) -> Traffic:
        """The requests to send."""
        return Traffic(
            rows(Path(self.data)),
            parse_mix(self.mix),
            population=self.population,
            exponent=self.zipf,
            distinct=self.distinct,
            seed=self.seed,
        )

    def objectives(self) -> Slo | None:
        """The objectives to hold the run against."""
        return Slo.load(Path(self.slo)) if self.slo else None
