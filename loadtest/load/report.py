"""Report of a load test: a verdict on the terminal, and report.md, report.json and report.png."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Self, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape as plain

from loadtest import plotting
from loadtest.load.options import Options
from loadtest.load.results import EXTRACTIVE, Result
from loadtest.load.slo import Slo, Verdict
from loadtest.load.statistics import GOOD, LAG_SECONDS, SLOW, Distribution, Limits, Summary, summarize
from loadtest.load.traffic import Kind
from loadtest.plotting import BLUE, GREEN, GREY, PERCENTILES, RED, YELLOW
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table

MOST_PARTS, SUMMARIES_PER_PART = 30, 10
"""To be seen over time, the run is divided into parts, each with that many summaries on average."""

NAME = "report"
JSON, PNG, MARKDOWN = f"{NAME}.json", f"{NAME}.png", f"{NAME}.md"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the run, from `start` in seconds; None when nothing was asked for in it."""

    start: float
    summary: Summary | None


@dataclass(frozen=True, slots=True)
class Report:
    """A run as it is kept. `kinds` and `parts` divide what `summary` is of, by kind of request and by time."""

    options: Options
    limits: Limits
    summary: Summary
    verdicts: tuple[Verdict, ...]
    kinds: dict[Kind, Summary]
    parts: tuple[Part, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read report.json. Raises ConfigurationError naming the file."""
        return json_files.load(cls, path, "report of a load test")

    @classmethod
    def of(cls, options: Options, slo: Slo | None, results: Sequence[Result], seconds: float) -> Self:
        """Of a run of `seconds`, the warm-up included. Raises ConfigurationError when there is nothing to report."""
        counted = [result for result in results if result.arrival >= options.warm_up]
        measured = seconds - options.warm_up
        if not counted or measured <= 0:
            raise ConfigurationError(
                f"No request was sent in {seconds:.1f} s after a warm-up of {options.warm_up:g} s: nothing to report. "
                "Send longer, or more."
            )
        limits = slo.in_time if slo else Limits()
        summary = summarize(counted, measured, limits)
        kinds = {kind: [result for result in counted if result.kind == kind] for kind in get_args(Kind)}
        return cls(
            options=options,
            limits=limits,
            summary=summary,
            verdicts=tuple(slo.judge(summary)) if slo else (),
            kinds={kind: summarize(some, measured, limits) for kind, some in kinds.items() if some},
            parts=tuple(_parts(counted, options.warm_up, measured, limits)),
        )

    @property
    def kept(self) -> bool:
        """True when no objective was missed."""
        return all(verdict.kept for verdict in self.verdicts)


def write(report: Report, results: Sequence[Result]) -> None:
    """Write the three files into the folder that the options name."""
    figures = {NAME: _figure(results, report.parts, report.options.warm_up)}
    report_files.write(Path(report.options.report), NAME, sections=_sections(report), data=report, figures=figures)


def say(report: Report) -> None:
    """Print the verdict."""
    console = Console(soft_wrap=True, highlight=False)
    for line in _lines(report.summary):
        console.print(plain(line))
    for verdict in report.verdicts:
        console.print(f"[{'green' if verdict.kept else 'bold red'}]{plain(str(verdict))}[/]")
    if report.verdicts:
        console.print(
            f"Objectives: {'all kept' if report.kept else '[bold red]missed[/]'} ({plain(report.options.slo)})"
        )
    console.print(f"Report: {plain(str(Path(report.options.report) / MARKDOWN))}")


def _parts(results: Sequence[Result], start: float, seconds: float, limits: Limits) -> Iterator[Part]:
    parts = min(MOST_PARTS, max(2, len(results) // SUMMARIES_PER_PART))
    width = seconds / parts
    edges = [*(start + number * width for number in range(parts)), inf]
    for begin, end in pairwise(edges):
        some = [result for result in results if begin <= result.arrival < end]
        yield Part(begin, summarize(some, width, limits) if some else None)


def _lines(summary: Summary) -> Iterator[str]:
    """The run in words."""
    shares = summary.shares
    yield (
        f"{summary.asked} summaries asked for in {summary.seconds:.0f} s, {summary.offered:.2f}/s; "
        f"goodput {summary.goodput:.2f}/s ({shares.goodput:.1%}), from the cache {shares.cache_hits:.1%}"
    )
    yield "Outcomes: " + ", ".join(f"{name} {count}" for name, count in summary.outcomes.items())
    for name, one in _distributions(summary):
        yield f"{name}: mean {one.mean:.3f} s, p50 {one.p50:.3f}, p95 {one.p95:.3f}, p99 {one.p99:.3f}"
    yield f"Send lag above {1000 * LAG_SECONDS:.0f} ms: {summary.lagged} summaries; p99 {summary.send_lag.p99:.3f} s"
    if summary.lagged > summary.asked / 100:
        yield "The sending side itself lagged, which is in the latencies: send less, or from another machine."


def _distributions(summary: Summary) -> Iterator[tuple[str, Distribution]]:
    for name, found in (("E2EL", summary.e2el), ("TTFT", summary.ttft), ("ITL", summary.itl)):
        if found is not None:
            yield name, found


def _sections(report: Report) -> Iterator[str]:
    yield f"# Load test of {escape(report.options.host)}"
    yield "\n".join(f"- {escape(line)}" for line in _lines(report.summary))
    if report.verdicts:
        verdicts = ((one.objective, f"{one.bound:g}", number(one.value, 3), one.result) for one in report.verdicts)
        yield "## Objectives\n\n" + table(["objective", "bound", "measured", "verdict"], verdicts)
    yield "## Seconds from the intended moment\n\n" + table(
        ["", "mean", "p50", "p95", "p99"],
        (
            [f"{kind}: {name}", *(number(value, 3) for value in asdict(found).values())]
            for kind, summary in (("all", report.summary), *report.kinds.items())
            for name, found in _distributions(summary)
        ),
    )
    yield "## Outcomes\n\n" + table(
        ["", "summaries", "share"],
        (
            (escape(name), count, f"{count / report.summary.asked:.1%}")
            for name, count in report.summary.outcomes.items()
        ),
    )
    yield f"![E2EL, offered load, outcomes and send lag over time]({PNG})"
    yield "## Options\n\n" + table(
        ["option", "value"], ((name, escape(str(value))) for name, value in asdict(report.options).items())
    )


def _figure(results: Sequence[Result], parts: Sequence[Part], warm_up: float) -> Figure:
    """E2EL over time and against the offered load, what became of the requests, and the send lag."""
    figure, (over_time, against_load, outcomes, lag) = plotting.axes(2, 2, size=(6.5, 4))
    _over_time(over_time, results, warm_up)
    _against_load(against_load, [part.summary for part in parts if part.summary])
    _outcomes(outcomes, parts)
    lag.scatter([one.arrival for one in results], [1000 * one.send_lag for one in results], s=6, color=GREY)
    plotting.finish(lag, title="Send lag", xlabel="seconds", ylabel="after the intended moment, ms", ylim=(0, None))
    return figure


def outcome_colors(summaries: Sequence[Summary]) -> dict[str, str]:
    """Colours of outcomes, in the order to stack them."""
    usual = {GOOD: GREEN, SLOW: YELLOW, EXTRACTIVE: BLUE}
    found = {name for summary in summaries for name in summary.outcomes}
    errors = sorted(found - usual.keys())
    return {name: color for name, color in usual.items() if name in found} | dict.fromkeys(errors, RED)


def _over_time(axis: Axes, results: Sequence[Result], warm_up: float) -> None:
    kinds = {
        "as asked": (GREEN, [one for one in results if one.ok and not one.cached]),
        "from the cache": (GREY, [one for one in results if one.cached]),
        "a quote instead": (BLUE, [one for one in results if one.outcome == EXTRACTIVE]),
        "not answered": (RED, [one for one in results if not one.answered]),
    }
    for name, (color, some) in kinds.items():
        if some:
            axis.scatter([one.arrival for one in some], [one.e2el for one in some], s=9, color=color, label=name)
    if warm_up:
        axis.axvspan(0, warm_up, color=GREY, alpha=0.2, label="warm-up")
    plotting.finish(axis, title="E2EL of each summary", xlabel="seconds", ylabel="s", yscale="log")


def _against_load(axis: Axes, summaries: Sequence[Summary]) -> None:
    found = [(one.offered, one.e2el) for one in summaries if one.e2el]
    for name, color in PERCENTILES.items():
        values = [getattr(e2el, name) for _, e2el in found]
        axis.scatter([offered for offered, _ in found], values, s=14, color=color, label=name, alpha=0.7)
    title = "E2EL against offered load, of parts of the run"
    plotting.finish(axis, title=title, xlabel="summaries/s", ylabel="s", yscale="log", xlim=(0, None))


def _outcomes(axis: Axes, parts: Sequence[Part]) -> None:
    colors = outcome_colors([part.summary for part in parts if part.summary])
    starts, width = [part.start for part in parts], parts[1].start - parts[0].start
    bottom = [0.0] * len(parts)
    for name, color in colors.items():
        rates = [part.summary.outcomes.get(name, 0) / width if part.summary else 0.0 for part in parts]
        axis.bar(starts, rates, width, bottom, align="edge", color=color, label=name)
        bottom = [low + rate for low, rate in zip(bottom, rates, strict=True)]
    hits = [part.summary.shares.cache_hits * part.summary.offered if part.summary else 0.0 for part in parts]
    axis.step([start + width for start in starts], hits, where="pre", color="black", linewidth=1, label="cache hits")
    plotting.finish(axis, title="Offered load and what became of it", xlabel="seconds", ylabel="summaries/s")
