"""`python -m deploy.grafana.picture`: a dashboard without Grafana, its panels' own queries answered by a Prometheus."""

import math
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from deploy.grafana.engine_dashboard import engine
from deploy.grafana.overview_dashboard import overview
from deploy.grafana.panels import Panel
from deploy.grafana.prometheus_api import Prometheus, Series
from deploy.grafana.queries import concrete, named, panels_of
from querygist import command_line

COLUMNS, POINTS = 4, 120
"""Panels in a row of the picture, and points in a line."""

UNITS = {"percentunit": "share", "reqps": "requests/s", "cps": "tokens/s", "watt": "W", "short": ""}
"""Grafana's names of units, where an axis says it otherwise."""


class Name(StrEnum):
    """Which dashboard."""

    overview = "overview"
    engine = "engine"


DASHBOARDS = {Name.overview: overview, Name.engine: engine}

Drawn = dict[str, list[Series]]
"""A panel's series by the legend they are drawn with."""

app = typer.Typer(add_completion=False)
console = Console(soft_wrap=True)


@app.command()
def main(
    prometheus: Annotated[str, typer.Option(help="Address of a Prometheus.")] = "http://127.0.0.1:9090",
    minutes: Annotated[float, typer.Option(min=0.1, help="How far back.")] = 30,
    window: Annotated[str, typer.Option(help="For $__rate_interval: at least four scrapes.")] = "1m",
    name: Annotated[Name, typer.Option("--dashboard", help="Which one.")] = Name.overview,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("docs/dashboard.png"),
) -> None:
    """Draw a dashboard from what a Prometheus knows."""
    dashboard = DASHBOARDS[name]()
    with Prometheus(prometheus) as server:
        found = collected(dashboard, server, minutes=minutes, window=window)
    picture(dashboard, found).savefig(out, dpi=80)
    console.print(f"picture: {out}")


def collected(dashboard: dict[str, Any], server: Prometheus, *, minutes: float, window: str) -> list[Drawn]:
    """What each panel shows of the last `minutes`. Raises PrometheusError."""
    end = time.time()
    start = end - 60 * minutes
    return [
        _series_of(panel, server, start=start, end=end, window=window)
        for panel in track(panels_of(dashboard), "asking", console=console)
    ]


def _series_of(panel: Panel, server: Prometheus, *, start: float, end: float, window: str) -> Drawn:
    drawn: Drawn = {}
    for target in panel["targets"]:
        expr = concrete(target["expr"], window)
        for series in server.over(expr, start=start, end=end, step=(end - start) / POINTS):
            drawn.setdefault(named(target["legendFormat"], series.labels), []).append(series)
    return drawn


def picture(dashboard: dict[str, Any], found: list[Drawn]) -> Figure:
    """All panels, in the dashboard's order."""
    panels = panels_of(dashboard)
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(4.6 * COLUMNS, 2.7 * rows), layout="constrained")
    figure.suptitle(dashboard["title"])
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    began = min((point[0] for drawn in found for one in _all(drawn) for point in one.points), default=0.0)
    for axis, panel, drawn in zip(axes, panels, found, strict=False):
        axis.set_title(panel["title"], fontsize=9, loc="left")
        axis.tick_params(labelsize=7)
        if panel["type"] == "stat":
            _numbers(axis, drawn)
        else:
            _lines(axis, panel, drawn, began)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return figure


def _all(drawn: Drawn) -> list[Series]:
    return [one for some in drawn.values() for one in some]


def _numbers(axis: Axes, drawn: Drawn) -> None:
    axis.set_axis_off()
    for row, (legend, [one, *_]) in enumerate(drawn.items()):
        axis.text(0, 0.8 - 0.3 * row, f"{one.points[-1][1]:.2%}", fontsize=15, transform=axis.transAxes)
        axis.text(0.35, 0.8 - 0.3 * row, legend, fontsize=8, transform=axis.transAxes)


def _lines(axis: Axes, panel: Panel, drawn: Drawn, began: float) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    limits = [step["value"] for step in defaults.get("thresholds", {}).get("steps", [])[1:]]
    for number, (legend, some) in enumerate(sorted(drawn.items())):
        for one in some:
            minutes = [(moment - began) / 60 for moment, _ in one.points]
            axis.plot(minutes, [value for _, value in one.points], color=f"C{number}", linewidth=1, label=legend)
    for limit in limits:
        axis.axhline(limit, color="red", linestyle="--", linewidth=0.7)
    highest = max([*limits, *(value for one in _all(drawn) for _, value in one.points)], default=0)
    axis.set_ylim(0, 1.1 * highest or 1)
    axis.set_xlabel("minutes", fontsize=7)
    axis.set_ylabel(UNITS.get(defaults["unit"], defaults["unit"]), fontsize=7)
    if drawn:
        axis.legend(fontsize=6, loc="upper left")


if __name__ == "__main__":
    command_line.run(app)
