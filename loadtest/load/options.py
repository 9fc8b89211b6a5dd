"""Options of a load test: those of Locust's command line and fields of its web page, beside its own."""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

from loadtest.load.arrivals import SHAPES, Profile, poisson, replayed
from loadtest.load.slo import Slo
from loadtest.load.traffic import Traffic, parse_mix
from querygist.errors import ConfigurationError
from querygist.evaluation.rows import BUILT_IN, rows
from querygist.schemas import Style

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser


def _option(default: float | str, text: str) -> Any:
    """An option with a value, "" or 0 for none: Locust's web page knows a field's type by it."""
    return field(default=default, metadata={"help": text})


_CHOICES = {"shape": list(SHAPES), "style": list(get_args(Style))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options as they were given; `host` and `run_time`, in seconds, 0 for no end, are Locust's own."""

    host: str
    run_time: float
    rate: float = _option(1.0, "Requests a second, Poisson arrivals (--users has no effect)")
    shape: str = _option("constant", f"How the rate changes over the run time: {', '.join(SHAPES)}")
    peak: float = _option(0.0, "The rate that a ramp, a spike or a day goes up to")
    trace: str = _option("", "File of moments to send at instead, in seconds, one a line")
    mix: str = _option("json=1,stream=1", "Weights of kinds of requests: json, stream, page (ten results)")
    style: str = _option("write", "What is asked for: write, the model's summary; quote, the page's words")
    data: str = _option(str(BUILT_IN), "JSONL with query and document")
    population: int = _option(10_000, "How many different queries there are")
    zipf: float = _option(1.0, "Exponent of the queries' popularity (Zipf); 0: all alike")
    distinct: bool = _option(False, "No query twice: nothing comes from the cache")
    seed: int = _option(0, "Draws arrivals and requests")
    slo: str = _option("", "TOML file of objectives; exit code 1 when one is missed")
    warm_up: float = _option(0.0, "Seconds at the start that are not counted")
    report: str = _option("load-report", "Folder for report.md, report.json and report.png")

    @classmethod
    def register(cls, parser: "LocustArgumentParser") -> None:
        """Add the options to Locust's, and the API key, which is kept out of reports."""
        for one in fields(cls):
            if one.metadata:
                kind = {"action": "store_true"} if one.type is bool else {"type": type(one.default)}
                choices = {"choices": _CHOICES[one.name]} if one.name in _CHOICES else {}
                parser.add_argument(_flag(one.name), default=one.default, help=one.metadata["help"], **kind, **choices)
        secret = {"env_var": "LOADTEST_API_KEY", "is_secret": True}
        parser.add_argument("--api-key", default="", help="Sent as a bearer token", **secret)

    @classmethod
    def described(cls) -> str:
        """The options for people; `locust --help` does not read the locustfile, which adds them."""
        own = [
            f"{_flag(one.name)}: {one.metadata['help']}; default {one.default!r}" for one in fields(cls) if one.metadata
        ]
        return "\n\n".join([*own, "--api-key: Sent as a bearer token; default LOADTEST_API_KEY"])

    @classmethod
    def of(cls, parsed: Namespace, host: str | None) -> Self:
        """From what Locust parsed. A trace without a run time takes as long as it takes."""
        if not host:
            raise ConfigurationError("Name the server: --host http://127.0.0.1:8000.")
        given = {one.name: getattr(parsed, one.name) for one in fields(cls) if one.metadata}
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
            style=self.style,
        )

    def objectives(self) -> Slo | None:
        """The objectives to hold the run against."""
        return Slo.load(Path(self.slo)) if self.slo else None


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
