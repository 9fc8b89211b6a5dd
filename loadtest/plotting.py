"""Colours and axes that the plots of load tests share."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

GREEN, YELLOW, BLUE, RED, GREY = "#3a8f5c", "#e0b13c", "#2f5d9b", "#b00020", "#9aa5b1"
PERCENTILES = {"p50": GREEN, "p95": YELLOW, "p99": RED}


def axes(
    columns: int, rows: int = 1, *, size: tuple[float, float] = (5, 4), **shared: Any
) -> tuple[Figure, list[Axes]]:
    """A figure and its axes, row by row, `size` inches each."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **shared).flat)


def finish(axis: Axes, **settings: Any) -> None:
    """Set titles, labels and scales; add a grid, and a legend where something is labelled."""
    axis.set(**settings)
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8)
