"""`python -m deploy.grafana.picture`: a dashboard without Grafana, its panels' own queries answered by a Prometheus."""

import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from querygist import command_line
from querygist.errors import QuerygistError

Panel = dict[str, Any]

DASHBOARDS = {path.stem: path for path in (Path(__file__).parent / "dashboards").iterdir()}

WINDOW = "$__rate_interval"
"""Grafana's variable: at least four scrapes, more where a point on the screen stands for more."""

COLUMNS, POINTS = 4, 120
"""Panels in a row of the picture, and points in a line."""

UNITS = {"percentunit": "share", "reqps": "requests/s", "cps": "tokens/s", "watt": "W", "short": ""}
"""Grafana's names of units, where an axis says it otherwise."""


class PrometheusError(QuerygistError):
    """Prometheus cannot be reached, or refuses a query."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points (seconds since the epoch, value), without NaN, of one line of a panel."""

    legend: str
    points: list[tuple[float, float]]


app = typer.Typer(add_completion=False)


@app.command()
def main(
    prometheus: Annotated[str, typer.Option(help="Address of a Prometheus.")] = "http://127.0.0.1:9090",
    minutes: Annotated[float, typer.Option(min=0.1, help="How far back.")] = 30,
    window: Annotated[str, typer.Option(help="For $__rate_interval: at least four scrapes.")] = "1m",
    name: Annotated[Literal["overview", "engine"], typer.Option("--dashboard", help="Which one.")] = "overview",
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("docs/dashboard.png"),
) -> None:
    """Draw a dashboard from what a Prometheus knows."""
    dashboard = load(name)
    picture(dashboard, query_panels(dashboard, prometheus, minutes=minutes, window=window)).savefig(out, dpi=80)
    typer.echo(f"picture: {out}")


def load(name: str) -> dict[str, Any]:
    """Read a dashboard."""
    dashboard: dict[str, Any] = json.loads(DASHBOARDS[name].read_text(encoding="utf-8"))
    return dashboard


def panels_of(dashboard: dict[str, Any]) -> list[Panel]:
    """Return a dashboard's panels, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def query_panels(dashboard: dict[str, Any], url: str, *, minutes: float, window: str) -> list[list[Series]]:
    """Return the series that each panel shows of the last `minutes`. Raises PrometheusError."""
    end = time.time()
    start = end - 60 * minutes
    span = {"start": start, "end": end, "step": (end - start) / POINTS}
    with httpx.Client(base_url=url, timeout=30) as client:
        return [
            [series for target in panel["targets"] for series in _query(client, target, window, span)]
            for panel in panels_of(dashboard)
        ]


def _query(client: httpx.Client, target: dict[str, Any], window: str, span: dict[str, float]) -> list[Series]:
    expr = target["expr"].replace(WINDOW, window)
    try:
        body = client.get("/api/v1/query_range", params={"query": expr, **span}).json()
    except (httpx.HTTPError, ValueError) as error:
        raise PrometheusError(f"{client.base_url} does not answer as Prometheus does: {error}") from None
    if body.get("status") != "success":
        raise PrometheusError(f"Prometheus refuses {expr!r}: {body.get('error')}")
    lines = [
        (one["metric"], [(float(moment), float(value)) for moment, value in one["values"] if value != "NaN"])
        for one in body["data"]["result"]
    ]
    return [Series(fill_legend(target["legendFormat"], labels), points) for labels, points in lines if points]


def fill_legend(legend: str, labels: dict[str, str]) -> str:
    """Return the legend as Grafana writes it: `{{label}}` replaced by the label's value, or by nothing."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend)


def picture(dashboard: dict[str, Any], shown: list[list[Series]]) -> Figure:
    """Draw all panels, in the dashboard's order; `shown` has the series of each."""
    panels = panels_of(dashboard)
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(4.6 * COLUMNS, 2.7 * rows), layout="constrained")
    figure.suptitle(dashboard["title"])
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    began = min((one.points[0][0] for series in shown for one in series), default=0.0)
    for axis, panel, series in zip(axes, panels, shown, strict=False):
        axis.set_title(panel["title"], fontsize=9, loc="left")
        axis.tick_params(labelsize=7)
        if panel["type"] == "stat":
            _draw_numbers(axis, series)
        else:
            _draw_lines(axis, panel, series, began)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    return figure


def _draw_numbers(axis: Axes, series: list[Series]) -> None:
    axis.set_axis_off()
    for row, one in enumerate(series):
        axis.text(0, 0.8 - 0.3 * row, f"{one.points[-1][1]:.2%}", fontsize=15, transform=axis.transAxes)
        axis.text(0.35, 0.8 - 0.3 * row, one.legend, fontsize=8, transform=axis.transAxes)


def _draw_lines(axis: Axes, panel: Panel, series: list[Series], began: float) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    limits = [step["value"] for step in defaults.get("thresholds", {}).get("steps", [])[1:]]
    for one in sorted(series, key=lambda one: one.legend):
        moments, values = zip(*one.points, strict=True)
        axis.plot([(moment - began) / 60 for moment in moments], values, linewidth=1, label=one.legend)
    for limit in limits:
        axis.axhline(limit, color="red", linestyle="--", linewidth=0.7)
    highest = max([*limits, *(value for one in series for _, value in one.points)], default=0)
    axis.set_ylim(0, 1.1 * highest or 1)
    axis.set_xlabel("minutes", fontsize=7)
    axis.set_ylabel(UNITS.get(defaults["unit"], defaults["unit"]), fontsize=7)
    if series:
        axis.legend(fontsize=6, loc="upper left")


if __name__ == "__main__":
    command_line.run(app)
