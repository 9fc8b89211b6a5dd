"""Objectives, rules, dashboards and metrics fit each other."""

import json
import re

import pytest
import yaml
from matplotlib.figure import Figure
from prometheus_client import generate_latest

from deploy.grafana.__main__ import FILES as DASHBOARDS
from deploy.grafana.__main__ import FOLDER as DASHBOARD_FOLDER
from deploy.grafana.overview_dashboard import OVERVIEW
from deploy.grafana.panels import WIDTH, panels_of
from deploy.grafana.picture import PrometheusError, Series, fill_legend, picture, query_panels
from deploy.objectives import LATENCY_SECONDS, SLOS, Slo
from deploy.prometheus.__main__ import FILES as RULES
from deploy.prometheus.__main__ import FOLDER as RULE_FOLDER
from deploy.prometheus.burn_rate_alerts import BURNS, WINDOWS
from querygist.engines.base import Status
from querygist.metrics import SECONDS, Metrics
from querygist.triton_server.ports import claim
from tests.conftest import REPOSITORY
from tests.promql import expressions_of_panels, expressions_of_rules, rules

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


class TestMadeFromCode:
    @pytest.mark.parametrize("name", RULES)
    def test_rules_are_what_the_code_makes(self, name: str) -> None:
        assert (RULE_FOLDER / name).read_text() == RULES[name], "run: python -m deploy.prometheus"

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_dashboards_are_what_the_code_makes(self, name: str) -> None:
        assert (DASHBOARD_FOLDER / name).read_text() == DASHBOARDS[name], "run: python -m deploy.grafana"

    def test_nothing_else_lies_there(self) -> None:
        assert {path.name for path in RULE_FOLDER.iterdir()} == {*RULES, "operations.yml"}
        assert {path.name for path in DASHBOARD_FOLDER.iterdir()} == set(DASHBOARDS)


class TestObjectives:
    def test_the_latency_is_one_of_the_histograms_buckets(self) -> None:
        assert LATENCY_SECONDS in SECONDS
        line = f'querygist_e2e_request_latency_seconds_bucket{{cached="false",le="{float(LATENCY_SECONDS)}"'
        assert line in generate_latest(Metrics().registry).decode(), "written as in the rules"

    @pytest.mark.parametrize("slo", SLOS, ids=lambda slo: slo.name)
    def test_every_alert_can_fire(self, slo: Slo) -> None:
        assert all(burn.rate * slo.budget < 1 for burn in BURNS), "no more than all events can be bad"
        assert {window for burn in BURNS for window in (burn.long, burn.short)} == set(WINDOWS)

    def test_outcomes_are_the_services_own(self) -> None:
        text = generate_latest(Metrics().registry).decode()
        outcomes = set(re.findall(r'querygist_requests_total\{method="\w+",outcome="([\w-]+)"\} 0\.0', text))
        named_in_rules = {
            outcome
            for slo in SLOS
            for some in re.findall(r'outcome[!=]~?"([^"]+)"', slo.bad + slo.total)
            for outcome in some.split("|")
        }
        assert named_in_rules == outcomes


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
        for panel in json.loads(DASHBOARDS[name])["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert place["x"] + place["w"] <= WIDTH
            taken |= cells

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
    dashboard = OVERVIEW
    panels = panels_of(dashboard)
    full = [Series("a", [(60.0, 1.0), (120.0, 2.0)])]
    drawn = picture(dashboard, [full if number % 2 else [] for number in range(len(panels))])
    assert isinstance(drawn, Figure)
    shown = [axis for axis in drawn.axes if axis.axison or axis.get_title(loc="left")]
    assert [axis.get_title(loc="left") for axis in shown] == [panel["title"] for panel in panels]
    lines = [len(axis.get_lines()) for axis in shown]
    assert lines[3] == 1
    assert lines[4] == 0
