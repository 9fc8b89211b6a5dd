"""The report's plots."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from querygist.evaluation.rouge import Interval
from training.evaluate.means import Quality

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Qualities = Mapping[str, Sequence[tuple[str, Quality]]]
"""By source: each system's name and quality, in the report's order."""


def rouge(found: Qualities, systems: Sequence[str]) -> "Figure":
    """ROUGE-2 of each system, side by side for each source, with its interval."""
    figure = _figure(width=3 + 0.22 * sum(map(len, found.values())))
    axis = figure.subplots()
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        bars = [(place, one) for place, of_it in enumerate(found.values()) for name, one in of_it if name == system]
        means = [one.rouge.rouge2 for _, one in bars]
        errors = [[one.mean - one.low for one in means], [one.high - one.mean for one in means]]
        left = [place + (number + 0.5) * width - 0.4 for place, _ in bars]
        axis.bar(left, [one.mean for one in means], width, yerr=errors, label=system, color=f"C{number % 10}")
    axis.set_xticks(range(len(found)), list(found), fontsize=8)
    axis.set_ylabel("ROUGE-2")
    axis.legend(fontsize=7)
    return figure


def length(found: Qualities, systems: Sequence[str]) -> "Figure":
    """Words of the answered outputs against ROUGE-2 of all, an axis for each source."""
    figure = _figure(width=3.2 * max(1, len(found)))
    for place, (source, of_it) in enumerate(found.items(), 1):
        axis = figure.add_subplot(1, len(found), place, title=source, xlabel="words (mean, log)", ylabel="ROUGE-2")
        _scatter(axis, systems, [(name, one.words, one.rouge.rouge2.mean) for name, one in of_it])
        axis.axvline(of_it[0][1].reference_words, color="grey", linestyle=":", linewidth=1)  # people
        axis.set_xscale("log")
    _legend(figure)
    return figure


def requested(found: Qualities, systems: Sequence[str]) -> "Figure":
    """Words asked for against words given, a point for each source; the line is obedience to the word."""
    figure = _figure(width=6)
    axis = figure.add_subplot(xlabel="words given (mean, log)", ylabel="words asked for (mean, log)")
    rows = [row for of_it in found.values() for row in of_it]
    _scatter(axis, systems, [(name, one.words, one.requested) for name, one in rows])
    axis.set_xscale("log")
    axis.set_yscale("log")
    asked = [one.requested for _, one in rows]
    axis.plot(asked, asked, color="grey", linestyle=":", linewidth=1)
    _legend(figure)
    return figure


def _figure(*, width: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than finding that all is done

    return Figure(figsize=(width, 4), layout="constrained")


def _scatter(axis: "Axes", systems: Sequence[str], points: Iterable[tuple[str, Interval | None, float]]) -> None:
    """Points (system, x with its interval, y), in the colours of the systems; none where there is no x."""
    numbers = {system: number for number, system in enumerate(systems)}
    for system, x, y in points:
        if x:
            spread = [[x.mean - x.low], [x.high - x.mean]]
            axis.errorbar([x.mean], [y], xerr=spread, fmt="o", color=f"C{numbers[system] % 10}", label=system)


def _legend(figure: "Figure") -> None:
    """One for all axes, each system once."""
    handles = {
        label: handle for axis in figure.axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles.keys(), fontsize=7, loc="outside lower center", ncols=5)
