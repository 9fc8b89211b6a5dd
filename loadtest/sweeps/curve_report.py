"""The capacity curve as Markdown, JSON and a plot."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest import plotting
from loadtest.load.plots import outcome_colors
from loadtest.load.statistics import LAG_SECONDS, Limits, Summary
from loadtest.plotting import GREEN, GREY, PERCENTILES, YELLOW
from loadtest.sweeps.curve import CARRIED, Capacity, Curve
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table

NAME, PAGE = "curve", "report"
JSON, PNG = f"{NAME}.json", f"{NAME}.png"

MODES = {"json": "Whole answers (JSON)", "stream": "Streams (server-sent events)"}


def write(found: Capacity, out: Path) -> Path:
    """Write report.md, curve.png and curve.json, which has what `Capacity.load` reads, and what is told of it."""
    told = [
        {
            "mode": curve.mode,
            "knee_per_second": curve.knee and curve.knee.offered,
            "saturation_per_second": curve.saturation,
            "peak_goodput_per_second": curve.peak.goodput,
            "last_offered_per_second": curve.points[-1].offered,
            "last_goodput_of_peak": curve.kept,
        }
        for curve in found.curves
    ]
    data, figures = asdict(found) | {"found": told}, {NAME: _figure(found)}
    return report_files.write(out, NAME, sections=_sections(found), data=data, figures=figures, markdown=PAGE)


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
    yield f"![Latency, answers a second and outcomes against the offered load]({PNG})"
    for curve in found.curves:
        yield from _curve(curve)
    yield f"The numbers: [{JSON}]({JSON}). Made by `python -m loadtest curve`."


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
