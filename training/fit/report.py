"""The report of a fit: weights, what they gain, and how the objective bends along each of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from querygist.evaluation import report_files
from querygist.evaluation.report_files import bounds, table
from querygist.evaluation.rouge import Interval
from training.fit.coordinate_search import Look, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "quote"
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Means:
    """Of the quotes with one set of weights. `objective`: the mean of ROUGE-2 and sentence F1."""

    objective: Interval
    rouge2: Interval
    sentence_f1: Interval
    words: Interval


@dataclass(frozen=True, slots=True)
class Report:
    """The content of the files. `curves`: by parameter its values, with the difference from the point found."""

    rows: int
    longer_share: float
    start: Point
    found: Point
    means: Mapping[str, Means]
    gain: Interval
    cross_fitted_gain: Interval
    curves: Mapping[str, Sequence[tuple[float, Interval]]]
    looks: Sequence[Look]


def write(folder: Path, report: Report) -> Path:
    """Write Markdown, JSON and plot, and return the Markdown's path."""
    figures = {NAME: _curves(report)} if report.curves else {}
    return report_files.write(folder, NAME, sections=_sections(report), data=report, figures=figures)


def _sections(report: Report) -> Iterator[str]:
    yield "# Weights of the quote"
    yield (
        f"Coordinate search on the {report.rows} answerable rows of the frozen validation set for choices, "
        f"{len(report.looks)} looks. The objective is the mean of ROUGE-2 (F1) and sentence F1, x 100, "
        f"{report.longer_share:.0%} of it at 60 words and the rest at people's mean length by source; sources weigh by "
        "their rows. In brackets: 95 % bootstrap intervals, the rows of one query drawn together."
    )
    yield "    python -m training fit-quote --config training/configs/student.yaml"
    yield table(
        ("weights", "objective", "ROUGE-2", "sentence F1", "words"),
        ((name, *map(bounds, (m.objective, m.rouge2, m.sentence_f1, m.words))) for name, m in report.means.items()),
    )
    yield (
        f"Gain on the rows that chose: {bounds(report.gain, 2, '+')}. Cross-fitted, each half of the queries by the "
        f"weights that the other half chose: {bounds(report.cross_fitted_gain, 2, '+')}."
    )
    yield table(
        ("weight", "shipped", "found"),
        ((name, f"{value:g}", f"{report.found[name]:g}") for name, value in report.start.items()),
    )
    if report.curves:
        yield "## Along each weight"
        yield "Difference from the weights found, where one of them has another value."
        yield f"![The objective along each weight]({NAME}.png)"
        yield table(
            ("weight", "value", "difference"),
            ((name, f"{x:g}", bounds(y, 2, "+")) for name, curve in report.curves.items() for x, y in curve),
        )


def _curves(report: Report) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415  takes longer to load than a search that is cached

    rows = ceil(len(report.curves) / _COLUMNS)
    figure = Figure(figsize=(3 * _COLUMNS, 2.4 * rows), layout="constrained")
    for place, (name, curve) in enumerate(report.curves.items(), 1):
        axis = figure.add_subplot(rows, _COLUMNS, place, title=name)
        values = [x for x, _ in curve]
        axis.fill_between(values, [y.low for _, y in curve], [y.high for _, y in curve], alpha=0.2)
        axis.plot(values, [y.mean for _, y in curve], marker=".")
        axis.axvline(report.found[name], color="C1", linewidth=1)
        axis.axvline(report.start[name], color="grey", linestyle=":", linewidth=1)
        axis.tick_params(labelsize=7)
    return figure
