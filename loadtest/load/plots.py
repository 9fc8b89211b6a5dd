"""The picture of one load test."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.load.results import EXTRACTIVE, GENERATIVE, Result
from loadtest.load.statistics import GOOD, SLOW, Summary

GREEN, YELLOW, BLUE, RED, GREY = "#3a8f5c", "#e0b13c", "#2f5d9b", "#b00020", "#9aa5b1"
_PERCENTILES = {"p50": GREEN, "p95": YELLOW, "p99": RED}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the run, from `start` in seconds; None when nothing was asked for in it."""

    start: float
    summary: Summary | None


def draw(results: Sequence[Result], parts: Sequence[Part], warm_up: float) -> Figure:
    """Latency over time and against the offered load, what became of the requests, and send lag."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    over_time, against_load, outcomes, late = figure.subplots(2, 2).flat
    _latency_over_time(over_time, results, warm_up)
    _latency_against_load(against_load, parts)
    _outcomes(outcomes, parts)
    late.scatter([one.arrival for one in results], [1000 * one.send_lag for one in results], s=6, color=GREY)
    late.set(title="Send lag", xlabel="seconds", ylabel="sent after the intended moment, ms", ylim=(0, None))
    for axis in (over_time, against_load, outcomes, late):
        axis.grid(alpha=0.3)
    return figure


def outcome_colors(summaries: Sequence[Summary]) -> dict[str, str]:
    """What became of requests, in the order to stack it, and its colours."""
    usual = {GOOD: GREEN, SLOW: YELLOW, EXTRACTIVE: BLUE}
    found = {name for summary in summaries for name in summary.outcomes}
    errors = sorted(found - usual.keys())
    return {name: color for name, color in usual.items() if name in found} | dict.fromkeys(errors, RED)


def _latency_over_time(axis: Axes, results: Sequence[Result], warm_up: float) -> None:
    kinds = {
        "by the model": (GREEN, lambda one: one.outcome == GENERATIVE and not one.cached),
        "from the cache": (GREY, lambda one: one.cached),
        "by the extract": (BLUE, lambda one: one.outcome == EXTRACTIVE),
        "not answered": (RED, lambda one: not one.answered),
    }
    for name, (color, belongs) in kinds.items():
        some = [one for one in results if belongs(one)]
        if some:
            axis.scatter([one.arrival for one in some], [one.e2el for one in some], s=9, color=color, label=name)
    if warm_up:
        axis.axvspan(0, warm_up, color=GREY, alpha=0.2, label="warm-up")
    axis.set(title="Latency of each summary", xlabel="seconds", ylabel="from the intended moment, s", yscale="log")
    axis.legend(fontsize=8)


def _latency_against_load(axis: Axes, parts: Sequence[Part]) -> None:
    found = [part.summary for part in parts if part.summary and part.summary.e2el]
    for name, color in _PERCENTILES.items():
        axis.scatter(
            [one.offered for one in found], [getattr(one.e2el, name) for one in found],
            s=14, color=color, label=name, alpha=0.7,
        )  # fmt: skip
    axis.set(
        title="Latency against offered load, of parts of the run", xlabel="summaries/s", ylabel="s",
        yscale="log", xlim=(0, None),
    )  # fmt: skip
    axis.legend(fontsize=8)


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
    axis.set(title="Offered load and what became of it", xlabel="seconds", ylabel="summaries/s")
    axis.legend(fontsize=8)
