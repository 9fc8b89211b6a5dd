"""What the counters count."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from querygist.engines.base import Status
from querygist.errors import HttpError, Overloaded, ServiceError
from querygist.metrics import Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def everything(metrics: Metrics) -> set[tuple[str, str, float]]:
    return {
        (sample.name, str(sample.labels), sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def answer(method: str, reason: str | None, *, cached: bool = False, answerable: bool = True) -> Any:
    return SimpleNamespace(method=method, reason=reason, cached=cached, answerable=answerable)


def test_whatever_may_be_counted_begins_at_zero() -> None:
    metrics = Metrics()
    for kind in (kind for side in HttpError.__subclasses__() for kind in side.__subclasses__()):
        assert value(metrics, "querygist_requests_total", outcome=kind.slug, method="none") == 0
    for reason in (*(kind.reason for kind in ServiceError.__subclasses__()), "checker"):
        assert value(metrics, "querygist_fallbacks_total", reason=reason) == 0
    for outcome, method in (("ok", "generative"), ("ok", "extractive"), ("fallback", "extractive")):
        assert value(metrics, "querygist_requests_total", outcome=outcome, method=method) == 0
    for reason in ("overload", "deadline"):
        assert value(metrics, "querygist_sheds_total", reason=reason) == 0
    for method, cached in product(("generative", "extractive"), ("false", "true")):
        assert value(metrics, "querygist_e2e_request_latency_seconds_count", method=method, cached=cached) == 0


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer("generative", None), "ok"),
        (answer("extractive", "asked"), "ok"),
        (answer("extractive", "checker"), "ok"),
        (answer("extractive", "overloaded"), "fallback"),
        (answer("extractive", "engine"), "fallback"),
        (answer("extractive", "deadline", answerable=False), "fallback"),
    ],
)
def test_an_answer_is_counted_by_method_and_reason(given: Any, outcome: str) -> None:
    metrics = Metrics()
    with metrics.count_request() as counted:
        assert counted(given) is given
    labels = {"method": given.method}
    assert value(metrics, "querygist_requests_total", outcome=outcome, **labels) == 1
    assert value(metrics, "querygist_e2e_request_latency_seconds_count", cached="false", **labels) == 1
    assert value(metrics, "querygist_unanswerable_total", **labels) == (not given.answerable)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Overloaded("Full."), "overloaded"), (ZeroDivisionError(), "internal"), (GeneratorExit(), "cancelled")],
)
def test_a_failure_is_counted_and_has_no_latency(error: BaseException, outcome: str) -> None:
    metrics = Metrics()
    before = everything(metrics)
    with pytest.raises(type(error)), metrics.count_request():
        raise error
    assert value(metrics, "querygist_requests_total", outcome=outcome, method="none") == 1
    assert {name for name, _, _ in everything(metrics) - before} == {"querygist_requests_total"}


def test_the_engines_own_counts_are_those_of_the_scrape() -> None:
    metrics, servers = Metrics(), {"a:8001": True}
    assert value(metrics, "querygist_triton_retries_total") == 0
    assert value(metrics, "querygist_triton_endpoint_up", endpoint="a:8001") is None, "this engine has no servers"
    metrics.engine_status = lambda: Status(servers=servers, retries=3)
    assert value(metrics, "querygist_triton_endpoint_up", endpoint="a:8001") == 1
    servers["a:8001"] = False
    assert value(metrics, "querygist_triton_endpoint_up", endpoint="a:8001") == 0
    assert value(metrics, "querygist_triton_retries_total") == 3
