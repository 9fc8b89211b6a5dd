"""A dashboard's queries: written for Grafana, and read without it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.grafana.panels import Panel

WINDOW = "$__rate_interval"
"""Grafana's variable: at least four scrapes, more where a point on the screen stands for more."""


def rate(metric: str, by: str = "") -> str:
    """PromQL: how fast a counter grows, a second, all series together or by these labels."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}[{WINDOW}]))"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `legend` has `{{label}}` where a series' label stands."""

    panel: str
    legend: str
    expr: str


def panels_of(dashboard: dict[str, Any]) -> list[Panel]:
    """Its panels, without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries_of(dashboard: dict[str, Any]) -> Iterator[Query]:
    """Every query of every panel."""
    for panel in panels_of(dashboard):
        for target in panel["targets"]:
            yield Query(panel["title"], target["legendFormat"], target["expr"])


def concrete(expr: str, window: str) -> str:
    """As Grafana sends it: `window`, such as 1m, in the place of its variable."""
    return expr.replace(WINDOW, window)


def named(legend: str, labels: dict[str, str]) -> str:
    """As Grafana writes it below a panel."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
