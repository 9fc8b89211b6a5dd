"""The capacity curve on paper: curve.json, curve.png, report.md."""

import json
from collections.abc import Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import TypeAdapter

from loadtest.load.plots import GREEN, GREY, RED, YELLOW, outcome_colors
from loadtest.load.statistics import LAG_SECONDS, Limits
from loadtest.sweeps.curve import CARRIED, Capacity, CrossCheck, Curve

JSON, PNG, MARKDOWN = "curve.json", "curve.png", "report.md"

MODES = {"json": "Whole answers (JSON)", "stream": "Streams (server-sent events)"}


def write(found: Capacity, out: Path) -> None:
    """The three files. JSON has what `Capacity.load` reads, and what is told of it."""
    out.mkdir(parents=True, exist_ok=True)
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
    numbers = TypeAdapter(Capacity).dump_python(found, mode="json") | {"found": told}
    (out / JSON).write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    _figure(found).savefig(out / PNG, dpi=130)
    (out / MARKDOWN).write_text("\n".join(_markdown(found)), encoding="utf-8")


def _figure(found: Capacity) -> Figure:
    figure = Figure(figsize=(15, 4.3 * len(found.curves)), layout="constrained")
    rows = figure.subplots(len(found.curves), 3, squeeze=False)
    for (latency, goodput, outcomes), curve in zip(rows, found.curves, strict=True):
        _latency(latency, curve, found.limits)
        _goodput(goodput, curve)
        _outcomes(outcomes, curve)
        for axis in (latency, goodput, outcomes):
            axis.set(xlabel="offered, requests/s", xlim=(0, None))
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)
    return figure


def _latency(axis: Axes, curve: Curve, limits: Limits) -> None:
    answered = [one for one in curve.points if one.e2el]
    offered = [one.offered for one in answered]
    for name, color in (("p50", GREEN), ("p95", YELLOW), ("p99", RED)):
        axis.plot(offered, [getattr(one.e2el, name) for one in answered], "o-", color=color, label=name)
    first = [one for one in answered if one.ttft]
    if first:
        values = [one.ttft.p95 for one in first if one.ttft]
        axis.plot([one.offered for one in first], values, "o--", color=GREY, label="first text, p95")
    if limits.e2el:
        axis.axhline(limits.e2el, color="black", linewidth=1, linestyle=":", label="in time")
    if curve.knee:
        axis.axvline(curve.knee.offered, color=GREY, linewidth=1, label="knee")
    axis.set(title=f"{MODES[curve.mode]}: latency of answers, s", yscale="log")


def _goodput(axis: Axes, curve: Curve) -> None:
    offered = [one.offered for one in curve.points]
    axis.plot(offered, offered, ":", color=GREY, label="offered")
    axis.plot(offered, [one.generated for one in curve.points], "o-", color=YELLOW, label="by the model")
    axis.plot(offered, [one.goodput for one in curve.points], "o-", color=GREEN, label="by the model in time: goodput")
    axis.set(title="Answers a second", ylim=(0, 1.5 * curve.saturation or None))


def _outcomes(axis: Axes, curve: Curve) -> None:
    colors = outcome_colors(curve.points)
    shares = [[one.outcomes.get(name, 0) / one.asked for one in curve.points] for name in colors]
    axis.stackplot([one.offered for one in curve.points], shares, labels=list(colors), colors=list(colors.values()))
    axis.set(title="What became of requests, share", ylim=(0, 1))


def _markdown(found: Capacity) -> Iterator[str]:
    limits = found.limits
    yield f"# Capacity of the {found.engine} engine"
    yield ""
    yield (
        f"{found.processor}. Poisson arrivals in an open loop, {found.seconds} s a point after a warm-up, every query "
        f"another, so that nothing comes from the cache. In time: {_within(limits)}, counted from the intended moment "
        f"of the request. A closed loop of eight got {found.probed:.2f} answers a second. The knee is the last load "
        f"up to which {CARRIED:.0%} of the requests are answered by the model in time; saturation the most that the "
        "model answered in a second, in time or not, at any load."
    )
    yield ""
    yield f"![Latency, answers a second and outcomes against the offered load]({PNG})"
    for curve in found.curves:
        yield from _section(curve)
    yield from _agreement(found.cross_check)
    yield ""
    yield f"The numbers: [{JSON}]({JSON}). Made by `python -m loadtest curve`."
    yield ""


def _section(curve: Curve) -> Iterator[str]:
    last, knee = curve.points[-1], curve.knee
    yield from ("", f"## {MODES[curve.mode]}", "")
    yield (
        f"Knee: {'below the first point' if knee is None else f'{knee.offered:.2f} requests/s'}. "
        f"Saturation: {curve.saturation:.2f} answers/s. Peak goodput: {curve.peak.goodput:.2f}/s, at "
        f"{curve.peak.offered:.2f} offered. At {last.offered / curve.saturation if curve.saturation else 0:.1f} times "
        f"saturation ({last.offered:.2f} offered) goodput is {last.goodput:.2f}/s: **{curve.kept:.0%} of its peak**."
    )
    late = sum(one.lagged for one in curve.points)
    yield f"Send lag of the client (more than {1000 * LAG_SECONDS:.0f} ms): {late} of {_total(curve)} requests."
    yield ""
    yield "| offered/s | requests | goodput/s | in time | extract | errors | p50 s | p95 | p99 | first text p50 | p95 |"
    yield "|" + " --- |" * 11
    for one in curve.points:
        shares = one.shares
        times = [
            f"{getattr(of, name):.2f}" if of else "-"
            for of, names in ((one.e2el, ("p50", "p95", "p99")), (one.ttft, ("p50", "p95")))
            for name in names
        ]
        yield (
            f"| {one.offered:.2f} | {one.asked} | {one.goodput:.2f} | {shares.goodput:.1%} | {shares.fallbacks:.1%} "
            f"| {shares.errors:.1%} | " + " | ".join(times) + " |"
        )


def _agreement(check: CrossCheck) -> Iterator[str]:
    yield from ("", "## An independent client", "")
    yield (
        f"The same {check.requests} requests at the same moments, {check.rate:.2f} a second, by Locust and then by a "
        "plain asyncio client (httpx, `python -m loadtest record`), end to end, in seconds; "
        f"{check.failed} failed with httpx. The table of whole answers has another run of that rate by Locust: runs "
        "differ, too."
    )
    yield from ("", "| client | mean | p50 | p95 | p99 |", "| --- | --- | --- | --- | --- |")
    for name, one in (("Locust", check.locust), ("httpx", check.httpx)):
        yield f"| {name} | {one.mean:.3f} | {one.p50:.3f} | {one.p95:.3f} | {one.p99:.3f} |"


def _within(limits: Limits) -> str:
    named = {"whole answer": limits.e2el, "first text of a stream": limits.ttft}
    return ", ".join(f"{name} within {limit:g} s" for name, limit in named.items() if limit) or "without a limit"


def _total(curve: Curve) -> int:
    return sum(one.asked for one in curve.points)
