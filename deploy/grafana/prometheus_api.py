"""Asking a Prometheus server: its HTTP API, as far as dashboards need it."""

import math
from dataclasses import dataclass
from typing import Any, Self

import httpx

from querygist.errors import QuerygistError

Labels = dict[str, str]


class PrometheusError(QuerygistError):
    """Prometheus cannot be reached, or refuses a query."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points (seconds since the epoch, value) of one combination of labels; without NaN."""

    labels: Labels
    points: list[tuple[float, float]]


class Prometheus:
    """One server, connected for a `with` block. Raises PrometheusError."""

    def __init__(self, url: str, *, timeout: float = 30) -> None:
        """`timeout` of one query in seconds."""
        self._url = url.rstrip("/")
        self._client = httpx.Client(base_url=self._url, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def instant(self, query: str) -> list[Series]:
        """What `query` gives now: a point each."""
        return _series(self._ask("/api/v1/query", query=query), "value")

    def over(self, query: str, *, start: float, end: float, step: float) -> list[Series]:
        """What `query` gives between two moments (seconds since the epoch), a point every `step` seconds."""
        return _series(self._ask("/api/v1/query_range", query=query, start=start, end=end, step=step), "values")

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, and how that went."""
        found: list[dict[str, Any]] = self._ask("/api/v1/targets")["activeTargets"]
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Groups of rules: when each was evaluated, and how that went."""
        found: list[dict[str, Any]] = self._ask("/api/v1/rules")["groups"]
        return found

    def _ask(self, path: str, **parameters: str | float) -> dict[str, Any]:
        try:
            answer = self._client.get(path, params=parameters)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise PrometheusError(f"{self._url}{path} does not answer as Prometheus does: {error}") from None
        if body.get("status") != "success":
            raise PrometheusError(f"Prometheus refuses {parameters}: {body.get('error')}")
        data: dict[str, Any] = body["data"]
        return data


def _series(data: dict[str, Any], key: str) -> list[Series]:
    found = []
    for one in data["result"]:
        values = [one[key]] if key == "value" else one[key]
        points = [(float(moment), float(value)) for moment, value in values]
        found.append(Series(one["metric"], [point for point in points if not math.isnan(point[1])]))
    return [one for one in found if one.points]
