"""What a load test leaves behind: a verdict on the terminal, and report.json, report.png and report.html."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Self, get_args

from rich.console import Console
from rich.markup import escape as plain

from loadtest.load import plots
from loadtest.load.distribution import Distribution
from loadtest.load.options import Options
from loadtest.load.plots import Part
from loadtest.load.results import Result
from loadtest.load.slo import Slo, Verdict
from loadtest.load.statistics import LAG_SECONDS, Limits, Summary, summarize
from loadtest.load.traffic import Kind
from querygist import json_files
from querygist.errors import ConfigurationError

MOST_PARTS, SUMMARIES_PER_PART = 30, 10
"""To be seen over time, the run is divided into parts, each with that many summaries on average."""

JSON, PNG, HTML = "report.json", "report.png", "report.html"

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.missed{color:#b00020;font-weight:600}img{max-width:100%}"
)


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
        """Whether no objective was missed."""
        return all(verdict.kept for verdict in self.verdicts)


def write(report: Report, results: Sequence[Result]) -> None:
    """The three files, into the folder that the options name."""
    folder = Path(report.options.report)
    folder.mkdir(parents=True, exist_ok=True)
    json_files.save(folder / JSON, report, indent=1)
    plots.draw(results, report.parts, report.options.warm_up).savefig(folder / PNG, dpi=130)
    (folder / HTML).write_text(_html(report, (folder / PNG).read_bytes()), encoding="utf-8")


def say(report: Report) -> None:
    """The verdict, on the terminal."""
    console = Console(soft_wrap=True, highlight=False)
    for line in _lines(report.summary):
        console.print(plain(line))
    for verdict in report.verdicts:
        console.print(f"[{'green' if verdict.kept else 'bold red'}]{plain(str(verdict))}[/]")
    if report.verdicts:
        console.print(
            f"Objectives: {'all kept' if report.kept else '[bold red]missed[/]'} ({plain(report.options.slo)})"
        )
    console.print(f"Report: {plain(str(Path(report.options.report) / HTML))}")


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
        f"by the model in time {summary.goodput:.2f}/s ({shares.goodput:.1%}), from the cache {shares.cache_hits:.1%}"
    )
    yield "Outcomes: " + ", ".join(f"{name} {count}" for name, count in summary.outcomes.items())
    for name, one in _distributions(summary):
        yield f"{name}: mean {one.mean:.3f} s, p50 {one.p50:.3f}, p95 {one.p95:.3f}, p99 {one.p99:.3f}"
    yield f"Send lag (more than {1000 * LAG_SECONDS:.0f} ms): {summary.lagged}, p99 {summary.send_lag.p99:.3f} s"
    if summary.lagged > summary.asked / 100:
        yield "The sending side was itself late, which is in the latencies: send less, or from another machine."


def _distributions(summary: Summary) -> Iterator[tuple[str, Distribution]]:
    for name in ("e2el", "ttft", "itl"):
        if (found := getattr(summary, name)) is not None:
            yield name.replace("_", " ").capitalize(), found


def _html(report: Report, picture: bytes) -> str:
    """One file that needs no other."""
    verdicts = [
        f'<tr class="{"kept" if one.kept else "missed"}"><td>{escape(one.objective)} {one.bound:g}</td>'
        f"<td>{'-' if one.value is None else f'{one.value:.3g}'}</td><td>{'kept' if one.kept else 'missed'}</td></tr>"
        for one in report.verdicts
    ]
    times = [
        f"<tr><td>{kind}: {name}</td>" + "".join(f"<td>{value:.3f}</td>" for value in asdict(found).values()) + "</tr>"
        for kind, summary in (("all", report.summary), *report.kinds.items())
        for name, found in _distributions(summary)
    ]
    outcomes = [
        f"<tr><td>{escape(name)}</td><td>{count}</td><td>{count / report.summary.asked:.1%}</td></tr>"
        for name, count in report.summary.outcomes.items()
    ]
    options = [
        f"<tr><td>{name}</td><td>{escape(str(value))}</td></tr>" for name, value in asdict(report.options).items()
    ]
    return "\n".join(
        [
            f"<!doctype html><html lang=en><meta charset=utf-8><title>Load test</title><style>{_STYLE}</style>",
            f"<h1>Load test of {escape(report.options.host)}</h1>",
            *(f"<p>{escape(line)}</p>" for line in _lines(report.summary)),
            *(["<h2>Objectives</h2><table><tr><th><th>measured<th></tr>", *verdicts, "</table>"] if verdicts else []),
            "<h2>Seconds from the intended moment</h2><table><tr><th><th>mean<th>p50<th>p95<th>p99</tr>",
            *times,
            "</table><h2>Outcomes</h2><table><tr><th><th>summaries<th>share</tr>",
            *outcomes,
            "</table>",
            '<img alt="Latency, offered load, outcomes and send lag over time" '
            f'src="data:image/png;base64,{b64encode(picture).decode()}">',
            "<h2>Options</h2><table>",
            *options,
            "</table></html>",
            "",
        ]
    )
