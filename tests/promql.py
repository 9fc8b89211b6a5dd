"""The PromQL of the committed rules and dashboards, taken apart."""

import json
from dataclasses import dataclass

import promql_parser
import yaml

from deploy.grafana import picture
from tests.conftest import REPOSITORY

RULES = sorted((REPOSITORY / "deploy/prometheus/rules").glob("*.yml"))
DASHBOARDS = sorted((REPOSITORY / "deploy/grafana/dashboards").glob("*.json"))

WINDOW = "1m"
"""Stands for Grafana's $__rate_interval."""


@dataclass(frozen=True)
class Expression:
    """`where` it stands, for people: file or dashboard, and rule or panel."""

    where: str
    promql: str

    def selectors(self) -> set[str]:
        """What it reads: `name{matchers}`, without ranges."""
        found: set[str] = set()

        def visit(node: promql_parser.Expr) -> None:
            if isinstance(node, promql_parser.MatrixSelector):
                node = node.vector_selector
            if isinstance(node, promql_parser.VectorSelector):
                found.add(str(node))

        promql_parser.walk(promql_parser.parse(self.promql), pre_visit=visit)
        return found

    def names(self) -> set[str]:
        """The series it reads."""
        return {selector.partition("{")[0] for selector in self.selectors()}


def rules() -> dict[str, list[dict[str, object]]]:
    """Every rule of every file, by the file's name."""
    return {
        path.name: [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
        for path in RULES
    }


def expressions_of_rules() -> list[Expression]:
    return [
        Expression(f"{name}: {rule.get('record') or rule['alert']}", str(rule["expr"]))
        for name, some in rules().items()
        for rule in some
    ]


def expressions_of_panels() -> list[Expression]:
    return [
        Expression(
            f"{path.name}: {panel['title']}: {target['legendFormat']}", target["expr"].replace(picture.WINDOW, WINDOW)
        )
        for path in DASHBOARDS
        for panel in picture.panels_of(json.loads(path.read_text()))
        for target in panel["targets"]
    ]
