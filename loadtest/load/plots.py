"""The picture of one load test."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest import plotting
from loadtest.load.results import EXTRACTIVE, GENERATIVE, Result
from loadtest.load.statistics import GOOD, SLOW, Summary
from loadtest.plotting import BLUE, GREEN, GREY, PERCENTILES, RED, YELLOW


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the run, from `start` in seconds; None when nothing was asked for in it."""

    start: float
    summary: Summary | None


def draw(results: Sequence[Result], parts: Sequence[Part], warm_up: float) -> Figure:
    """E2EL over time and against the offered load, what became of the requests, and the send lag."""
    figure, (over_time, against_load, outcomes, lag) = plotting.axes(2, 2, size=(6.5, 4))
    _over_time(over_time, results, warm_up)
    _against_load(against_load, [part.summary for part in parts if part.summary])
    _outcomes(outcomes, parts)
    lag.scatter([one.arrival for one in results], [1000 * one.send_lag for one in results], s=6, color=GREY)
    plotting.finish(lag, title="Send lag", xlabel="seconds", ylabel="after the intended moment, ms", ylim=(0, None))
    return figure


def outcome_colors(summaries: Sequence[Summary]) -> dict[str, str]:
    """What became of requests, in the order to stack it, and its colours."""
    usual = {GOOD: GREEN, SLOW: YELLOW, EXTRACTIVE: BLUE}
    found = {name for summary in summaries for name in summary.outcomes}
    errors = sorted(found - usual.keys())
    return {name: color for name, color in usual.items() if name in found} | dict.fromkeys(errors, RED)


def _over_time(axis: Axes, results: Sequence[Result], warm_up: float) -> None:
    kinds = {
        "by the model": (GREEN, [one for one in results if one.outcome == GENERATIVE and not one.cached]),
        "from the cache": (GREY, [one for one in results if one.cached]),
        "by the extract": (BLUE, [one for one in results if one.outcome == EXTRACTIVE]),
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
