"""The capacity curve: offered load stepped from a quarter of what saturates a server to twice as much.

Each point is a run of Locust (an open loop, every query another), in a folder of its own: one that is there already is
not run again. First the saturating rate is looked for with a closed loop of eight requests; what is really generated at
most is then read from the points, and the last point of each mode offers twice that.
"""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress, TaskID

from loadtest import plotting
from loadtest.load import report
from loadtest.load.report import Report, outcome_colors
from loadtest.load.slo import Slo
from loadtest.load.statistics import LAG_SECONDS, Limits, Summary
from loadtest.load.traffic import Kind
from loadtest.machine import processor
from loadtest.micro.gateway_bench import summaries
from loadtest.plotting import GREEN, GREY, PERCENTILES, YELLOW
from loadtest.sweeps.locust_process import locust
from querygist import json_files
from querygist.errors import ConfigurationError
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table
from querygist.evaluation.rows import rows

SHARES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5)
"""Offered loads, of the rate that saturates. One more follows: twice what was generated at most."""

MODES: dict[Kind, str] = {"json": "Whole answers (JSON)", "stream": "Streams (server-sent events)"}

CARRIED = 0.95
"""Up to the knee at least this share of what is offered is answered by the model in time."""

NAME, PAGE = "curve", "report"
IN_FLIGHT = 8
SATURATION = "saturation.json"


@dataclass(frozen=True, slots=True)
class Curve:
    """One mode's points, by offered load."""

    mode: Kind
    points: tuple[Summary, ...]

    @property
    def saturation(self) -> float:
        """The most that the model answered in a second, in time or not, at any load."""
        return max(one.generated for one in self.points)

    @property
    def peak(self) -> Summary:
        """The point with the highest goodput."""
        return max(self.points, key=lambda one: one.goodput)

    @property
    def kept(self) -> float:
        """Goodput at the highest offered load, as a share of its peak."""
        return self.points[-1].goodput / self.peak.goodput if self.peak.goodput else 0.0

    @property
    def knee(self) -> Summary | None:
        """The last point before the first that is not carried; None when not even the first is."""
        knee = None
        for one in self.points:
            if one.shares.goodput < CARRIED:
                break
            knee = one
        return knee


@dataclass(frozen=True, slots=True)
class Capacity:
    """The result, as it is kept in curve.json. `probed`: requests a second of the closed loop."""

    engine: str
    processor: str
    seconds: int
    limits: Limits
    probed: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """The points to measure: `seconds` each, after `warm_up` that are not counted, and where its state is kept."""

    slo: Path
    data: Path
    seconds: int
    warm_up: int
    seed: int
    work: Path

    async def run(self, url: str, engine: str, console: Console) -> Capacity:
        """Measure what is not measured yet. Raises ConfigurationError when a point cannot be measured."""
        self.work.mkdir(parents=True, exist_ok=True)
        with Progress(console=console) as progress:
            task = progress.add_task("closed loop", total=1 + len(MODES) * (len(SHARES) + 1))
            probed = await self._saturation(url)
            progress.advance(task)
            curves = [await self._curve(url, mode, probed, progress, task) for mode in MODES]
        return Capacity(engine, processor(), self.seconds, Slo.load(self.slo).in_time, probed, tuple(curves))

    async def _saturation(self, url: str) -> float:
        """Requests a second of a closed loop; looked for once, so that a later run offers the same loads."""
        kept = self.work / SATURATION
        if not kept.exists():
            asked = f"Probe {uuid.uuid4().hex}:"
            found = await asyncio.to_thread(summaries, url, rows(self.data), IN_FLIGHT, asked)
            json_files.save(kept, found["requests/s"])
        return json_files.load(float, kept, "saturating rate", "Delete it to measure again.")

    async def _curve(self, url: str, mode: Kind, probed: float, progress: Progress, task: TaskID) -> Curve:
        points: list[Summary] = []
        for place in range(len(SHARES) + 1):
            last = place == len(SHARES)
            rate = 2 * Curve(mode, tuple(points)).saturation if last else probed * SHARES[place]
            progress.update(task, description=f"{mode}, {rate:.3g} requests/s")
            points.append((await self._point(url, mode, place, rate)).summary)
            progress.advance(task)
        return Curve(mode, tuple(sorted(points, key=lambda one: one.offered)))

    async def _point(self, url: str, mode: Kind, place: int, rate: float) -> Report:
        folder = self.work / f"{mode}-{place}"
        options = {
            "rate": round(rate, 4), "mix": f"{mode}=1", "slo": str(self.slo), "data": str(self.data), "distinct": True,
            "seed": self.seed + place + 100 * list(MODES).index(mode), "warm_up": self.warm_up, "report": str(folder),
        }  # fmt: skip
        total = self.seconds + self.warm_up
        if (folder / report.JSON).exists():
            made = Report.load(folder / report.JSON)
            done, wanted = asdict(made.options), options | {"run_time": total}
            if made.limits == Slo.load(self.slo).in_time and done == done | wanted:
                return made
        folder.mkdir(exist_ok=True)
        (folder / report.JSON).unlink(missing_ok=True)
        arguments = [
            f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in options.items()
        ]
        await locust("--host", url, "--run-time", f"{total}s", *arguments, log=folder / "locust.log")
        if not (folder / report.JSON).exists():
            raise ConfigurationError(f"Locust made no report. Its log says why: {folder / 'locust.log'}.")
        return Report.load(folder / report.JSON)


def write(found: Capacity, out: Path) -> Path:
    """Write report.md, curve.json and curve.png."""
    figures = {NAME: _figure(found)}
    return report_files.write(out, NAME, sections=_sections(found), data=found, figures=figures, markdown=PAGE)


def _figure(found: Capacity) -> Figure:
    figure, panels = plotting.axes(3, len(found.curves), size=(5, 4.3))
    for row, curve in enumerate(found.curves):
        for axis, draw in zip(panels[3 * row :], (_latency, _goodput, _outcomes), strict=False):
            draw(axis, curve, found.limits)
            plotting.finish(axis, xlabel="offered, requests/s", xlim=(0, None))
    return figure


def _latency(axis: Axes, curve: Curve, limits: Limits) -> None:
    e2el = [(one.offered, one.e2el) for one in curve.points if one.e2el]
    for name, color in PERCENTILES.items():
        axis.plot([x for x, _ in e2el], [getattr(y, name) for _, y in e2el], "o-", color=color, label=f"E2EL {name}")
    if ttft := [(one.offered, one.ttft.p95) for one in curve.points if one.ttft]:
        axis.plot(*zip(*ttft, strict=True), "o--", color=GREY, label="TTFT p95")
    if limits.e2el:
        axis.axhline(limits.e2el, color="black", linewidth=1, linestyle=":", label="in time")
    if curve.knee:
        axis.axvline(curve.knee.offered, color=GREY, linewidth=1, label="knee")
    axis.set(title=f"{MODES[curve.mode]}: latency of answers, s", yscale="log")


def _goodput(axis: Axes, curve: Curve, _: Limits) -> None:
    offered = [one.offered for one in curve.points]
    axis.plot(offered, offered, ":", color=GREY, label="offered")
    axis.plot(offered, [one.generated for one in curve.points], "o-", color=YELLOW, label="by the model")
    axis.plot(offered, [one.goodput for one in curve.points], "o-", color=GREEN, label="by the model in time: goodput")
    axis.set(title="Answers a second", ylim=(0, 1.5 * curve.saturation or None))


def _outcomes(axis: Axes, curve: Curve, _: Limits) -> None:
    colors = outcome_colors(curve.points)
    shares = [[one.outcomes.get(name, 0) / one.asked for one in curve.points] for name in colors]
    axis.stackplot([one.offered for one in curve.points], shares, labels=list(colors), colors=list(colors.values()))
    axis.set(title="What became of requests, share", ylim=(0, 1))


def _sections(found: Capacity) -> Iterator[str]:
    yield f"# Capacity of the {found.engine} engine"
    yield (
        f"{found.processor}. Poisson arrivals in an open loop, {found.seconds} s a point after a warm-up, every query "
        f"another, so that nothing comes from the cache. In time: {_within(found.limits)}, counted from the intended "
        f"moment of the request. A closed loop of eight got {found.probed:.2f} answers a second. The knee is the last "
        f"load up to which {CARRIED:.0%} of the requests are answered by the model in time; saturation the most that "
        "the model answered in a second, in time or not, at any load."
    )
    yield f"![Latency, answers a second and outcomes against the offered load]({NAME}.png)"
    for curve in found.curves:
        yield from _curve(curve)
    yield f"The numbers: [{NAME}.json]({NAME}.json). Made by `python -m loadtest curve`."


def _curve(curve: Curve) -> Iterator[str]:
    last, knee = curve.points[-1], curve.knee
    lagged, asked = (sum(getattr(one, name) for one in curve.points) for name in ("lagged", "asked"))
    yield f"## {MODES[curve.mode]}"
    yield (
        f"Knee: {'below the first point' if knee is None else f'{knee.offered:.2f} requests/s'}. "
        f"Saturation: {curve.saturation:.2f} answers/s. Peak goodput: {curve.peak.goodput:.2f}/s, at "
        f"{curve.peak.offered:.2f} offered. At {last.offered / curve.saturation if curve.saturation else 0:.1f} times "
        f"saturation ({last.offered:.2f} offered) goodput is {last.goodput:.2f}/s: **{curve.kept:.0%} of its peak**. "
        f"The client's send lag was above {1000 * LAG_SECONDS:.0f} ms for {lagged} of {asked} requests."
    )
    header = ["offered/s", "requests", "goodput/s", "goodput", "extract", "errors"]
    header += ["E2EL p50, s", "p95", "p99", "TTFT p50, s", "p95"]
    yield table(header, map(_point, curve.points))


def _point(one: Summary) -> list[object]:
    shares = (f"{share:.1%}" for share in (one.shares.goodput, one.shares.fallbacks, one.shares.errors))
    times = [(one.e2el, name) for name in ("p50", "p95", "p99")] + [(one.ttft, name) for name in ("p50", "p95")]
    seconds = (number(getattr(of, name) if of else None, 2) for of, name in times)
    return [f"{one.offered:.2f}", one.asked, f"{one.goodput:.2f}", *shares, *seconds]


def _within(limits: Limits) -> str:
    named = {"E2EL": limits.e2el, "TTFT of a stream": limits.ttft}
    return ", ".join(f"{name} within {limit:g} s" for name, limit in named.items() if limit) or "without a limit"
