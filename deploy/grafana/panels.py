"""Grafana's dashboard JSON from plain functions: queries, panels, rows of panels, a dashboard."""

from typing import Any

from deploy import promql

Panel = dict[str, Any]

WIDTH, HEIGHT = 24, 8
"""Of a dashboard in Grafana's grid, and of a panel."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOICE_OF_DATASOURCE = {
    "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}
}  # fmt: skip

WINDOW = "$__rate_interval"
"""Grafana's variable: at least four scrapes, more where a point on the screen stands for more."""

PALETTE_BY_NAME = {"mode": "palette-classic-by-name"}  # an outcome has one colour, whichever others are there


def rate(counter: str, by: str = "") -> str:
    """Return the PromQL of a counter's growth a second: all series together, or by these labels."""
    return promql.rate(counter, WINDOW, by)


def quantiles(histogram: str, *shares: float) -> dict[str, str]:
    """Return a query for each quantile of a histogram, by legend (p50, p95)."""
    return {f"p{100 * share:g}": promql.quantile(share, histogram, WINDOW) for share in shares}


def lines(
    title: str,
    description: str,
    queries: dict[str, str],
    *,
    unit: str = "short",
    stacked: bool = False,
    limits: tuple[float, ...] = (),
) -> Panel:
    """Return a panel of lines over time; `limits` are drawn as red lines.

    `queries` maps legends, with `{{label}}` in them, to PromQL.
    """
    custom: dict[str, Any] = {"showPoints": "never", "fillOpacity": 20 if stacked else 0}
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    defaults: dict[str, Any] = {"unit": unit, "min": 0, "color": PALETTE_BY_NAME, "custom": custom}
    if limits:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        steps = [{"color": "transparent", "value": None}, *({"color": "red", "value": limit} for limit in limits)]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return _panel("timeseries", title, description, queries) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi"},
        },
    }


def numbers(title: str, description: str, queries: dict[str, str], *, unit: str, good: float) -> Panel:
    """Return a panel of the newest values in large print; red below `good`."""
    steps = [{"color": "red", "value": None}, {"color": "green", "value": good}]
    defaults = {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}
    return _panel("stat", title, description, queries) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "textMode": "value_and_name"},
    }


def _panel(kind: str, title: str, description: str, queries: dict[str, str]) -> Panel:
    targets = [
        {"refId": chr(ord("A") + number), "expr": expr, "legendFormat": legend, "datasource": DATASOURCE}
        for number, (legend, expr) in enumerate(queries.items())
    ]
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "targets": targets}


def dashboard(uid: str, title: str, description: str, rows: dict[str, list[Panel]]) -> dict[str, Any]:
    """Return a dashboard of titled rows; a row's panels share its width."""
    placed: list[Panel] = []
    top = 0
    for heading, panels in rows.items():
        row = {"type": "row", "title": heading, "collapsed": False, "panels": []}
        placed.append(row | {"gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        width = WIDTH // len(panels)
        placed += [
            panel | {"gridPos": {"x": number * width, "y": top + 1, "w": width, "h": HEIGHT}}
            for number, panel in enumerate(panels)
        ]
        top += 1 + HEIGHT
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["querygist"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,  # one crosshair for all panels
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [CHOICE_OF_DATASOURCE]},
        "panels": [panel | {"id": number} for number, panel in enumerate(placed, start=1)],
    }


def panels_of(dashboard: dict[str, Any]) -> list[Panel]:
    """Return a dashboard's panels, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]
