"""Objectives, rules, dashboards and metrics fit each other."""

import re

import pytest
import yaml
from matplotlib.figure import Figure
from prometheus_client import generate_latest

from deploy.grafana.picture import (
    DASHBOARDS,
    PrometheusError,
    Series,
    fill_legend,
    load,
    panels_of,
    picture,
    query_panels,
)
from querygist.engines.base import Status
from querygist.metrics import CANCELLED, OUTCOMES_OF_CALLERS, OUTCOMES_OF_SERVICE, Metrics
from querygist.triton_server.ports import claim
from tests.conftest import REPOSITORY
from tests.promql import expressions_of_panels, expressions_of_rules, rules

WIDTH = 24  # of Grafana's grid
OVERVIEW = load("overview")
PANELS = {panel["title"]: panel for panel in panels_of(OVERVIEW)}

SLO_RULES = [rule | {"labels": rule.get("labels", {})} for rule in rules()["slo.yml"]]
BUDGETS = {
    rule["labels"]["slo"]: float(rule["expr"].removeprefix("vector(").removesuffix(")"))
    for rule in SLO_RULES
    if rule.get("record") == "querygist:slo_budget:ratio"
}
ERRORS = {
    (rule["labels"]["slo"], rule["record"].rpartition("ratio_rate")[2]): rule["expr"]
    for rule in SLO_RULES
    if rule.get("record", "").startswith("querygist:slo_errors:ratio_rate")
}
"""PromQL of the share of bad events, by objective and window."""

BURNS = [("page", 14.4, "1h", "5m"), ("page", 6.0, "6h", "30m"), ("ticket", 1.0, "3d", "6h")]
"""Severity, rate, long and short window: what docs/metrics.md says."""

ALERTS = [rule for some in rules().values() for rule in some if "alert" in rule]
RECORDED = {str(rule["record"]) for some in rules().values() for rule in some if "record" in rule}
BATCHER = (REPOSITORY / "service/querygist/triton_backend/counters.py").read_text()


def read() -> set[str]:
    """Every series that a rule or a panel reads."""
    return {name for one in (*expressions_of_rules(), *expressions_of_panels()) for name in one.names()}


def exposed() -> dict[str, set[str]]:
    """The gateway's metrics as scraped: of each, the names of its series."""
    metrics = Metrics()
    metrics.engine_status = lambda: Status(servers={"a:8001": True})
    assert generate_latest(metrics.registry)
    return {
        family.name: {sample.name for sample in family.samples if not sample.name.endswith("_created")}
        for family in metrics.registry.collect()
    }


class TestObjectives:
    def test_the_latency_is_one_of_the_histograms_buckets(self) -> None:
        [le] = set(re.findall(r'le="([^"]+)"', str(SLO_RULES)))
        line = f'querygist_e2e_request_latency_seconds_bucket{{cached="false",le="{le}"'
        assert line in generate_latest(Metrics().registry).decode()
        assert PANELS["Whole answer"]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == float(le)
        promised = [alert["annotations"]["description"] for alert in ALERTS if alert["labels"].get("slo") == "latency"]
        assert all(f"within {float(le):g} s." in text for text in promised)
        assert f"within {float(le):g} s." in PANELS["Goodput"]["description"]

    @pytest.mark.parametrize("slo", BUDGETS)
    def test_every_alert_is_of_its_budget_and_can_fire(self, slo: str) -> None:
        found = []
        for alert in ALERTS:
            if alert["labels"].get("slo") == slo:
                long, short = re.findall(rf'ratio_rate(\w+){{slo="{slo}"}} > \(([\d.]+) \* ([\d.]+)\)', alert["expr"])
                assert long[1:] == short[1:]
                assert float(long[2]) == BUDGETS[slo]
                assert float(long[1]) * BUDGETS[slo] < 1, "no more than all events can be bad"
                assert alert["labels"]["long"] == long[0]
                found.append((alert["labels"]["severity"], float(long[1]), long[0], short[0]))
        assert found == BURNS

    @pytest.mark.parametrize("slo", BUDGETS)
    def test_the_promise_is_what_the_budget_leaves(self, slo: str) -> None:
        promise = f"{100 * (1 - BUDGETS[slo]):g} %"
        told = [alert["annotations"]["description"] for alert in ALERTS if alert["labels"].get("slo") == slo]
        assert all(f": {promise} of " in text for text in told)
        budget = next(panel for title, panel in PANELS.items() if title.startswith("Error budget left"))
        assert f"{slo}: {promise} of " in budget["description"]

    def test_an_objective_is_the_same_in_every_window(self) -> None:
        windows = {window for burn in BURNS for window in burn[2:]}
        assert set(ERRORS) == {(slo, window) for slo in BUDGETS for window in windows}
        asked = {(slo, expr.replace(f"[{window}]", "[]")) for (slo, window), expr in ERRORS.items()}
        assert len(asked) == len(BUDGETS)

    def test_the_dashboard_shows_the_rates_of_the_alerts(self) -> None:
        steps = PANELS["Error budget burn, 1 h"]["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]
        assert [step["value"] for step in steps] == sorted(burn[1] for burn in BURNS)

    def test_outcomes_are_the_services_own(self) -> None:
        text = generate_latest(Metrics().registry).decode()
        outcomes = set(re.findall(r'querygist_requests_total\{method="\w+",outcome="([\w-]+)"\} 0\.0', text))
        named = [
            (how, frozenset(some.split("|")))
            for one in expressions_of_rules()
            for how, some in re.findall(r'outcome(=|!)~?"([^"]+)"', one.promql)
        ]
        assert frozenset().union(*(some for _, some in named)) == outcomes
        service, callers = frozenset(OUTCOMES_OF_SERVICE), frozenset(OUTCOMES_OF_CALLERS)
        assert {some for how, some in named if how == "!"} == {callers | {CANCELLED}}
        assert {some for how, some in named if how == "="} == {
            service,
            frozenset({"ok", "fallback"}),
            frozenset({"fallback"}),
        }


class TestAlerts:
    @pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
    def test_each_says_what_it_is_and_where_help_stands(self, alert: dict[str, dict[str, str]]) -> None:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook"}
        file, _, heading = alert["annotations"]["runbook"].partition("#")
        assert f"\n## {heading}\n" in (REPOSITORY / file).read_text()

    def test_the_runbook_has_no_other_headings(self) -> None:
        headings = set(re.findall(r"^## (.+)$", (REPOSITORY / "docs/runbook.md").read_text(), re.M))
        assert headings == {str(alert["annotations"]["runbook"]).partition("#")[2] for alert in ALERTS}  # type: ignore[index]


class TestMetrics:
    @pytest.mark.parametrize("metric", exposed())
    def test_each_is_read(self, metric: str) -> None:
        assert exposed()[metric] & read(), "no rule and no panel reads it"

    def test_whatever_is_read_exists(self) -> None:
        ours = {name for name in read() if name.startswith("querygist_")}
        scheduler = {name for name in ours if name.startswith("querygist_batcher_")}
        assert ours - scheduler <= {name for names in exposed().values() for name in names}
        counters = {f"querygist_batcher_{name}_total" for name in re.findall(r'^    "(\w+)": "', BATCHER, re.M)}
        assert scheduler <= counters | {"querygist_batcher_active_requests"}

    def test_each_recorded_series_is_read(self) -> None:
        assert {name for name in read() if name.startswith("querygist:")} == RECORDED


class TestDashboards:
    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_panels_stand_beside_each_other(self, name: str) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in load(name)["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert place["x"] + place["w"] <= WIDTH
            taken |= cells

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_panels_have_ids_and_queries_of_their_own(self, name: str) -> None:
        ids = [panel["id"] for panel in load(name)["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in panels_of(load(name)):
            asked = [panel, *panel["targets"]]
            assert all(one["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for one in asked)
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0

    def test_provisioning_names_what_prometheus_does(self) -> None:
        folder = REPOSITORY / "deploy/grafana/provisioning"
        [source] = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
        scraping = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())["global"]
        assert source["jsonData"]["timeInterval"] == scraping["scrape_interval"]


def test_legends_are_filled_as_grafana_does() -> None:
    assert fill_legend("{{a}} of {{b}}{{c}}", {"a": "x", "b": "y"}) == "x of y"


def test_an_absent_prometheus_is_an_error_that_names_it() -> None:
    [port] = claim([("127.0.0.1", 0)])
    with pytest.raises(PrometheusError, match=f"127.0.0.1:{port}"):
        query_panels(OVERVIEW, f"http://127.0.0.1:{port}", minutes=1, window="1m")


def test_a_picture_has_every_panel_with_or_without_data() -> None:
    dashboard, panels = OVERVIEW, panels_of(OVERVIEW)
    full = [Series("a", [(60.0, 1.0), (120.0, 2.0)])]
    drawn = picture(dashboard, [full if number % 2 else [] for number in range(len(panels))])
    assert isinstance(drawn, Figure)
    shown = [axis for axis in drawn.axes if axis.axison or axis.get_title(loc="left")]
    assert [axis.get_title(loc="left") for axis in shown] == [panel["title"] for panel in panels]
    lines = [len(axis.get_lines()) for axis in shown]
    assert lines[3] == 1
    assert lines[4] == 0
