"""Prometheus' rules as plain dictionaries."""

from typing import Any

Rule = dict[str, Any]

RUNBOOK = "docs/runbook.md"


def group(name: str, rules: list[Rule]) -> Rule:
    """Rules that are evaluated one after the other."""
    return {"name": name, "rules": rules}


def record(name: str, expr: str, **labels: str) -> Rule:
    """A new series `name`, with these labels."""
    return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})


def alert(
    name: str,
    expr: str,
    *,
    severity: str,
    summary: str,
    description: str,
    runbook: str,
    after: str | None = None,
    **labels: str,
) -> Rule:
    """An alert of `severity` page or ticket; `runbook`: a heading of the runbook; `after`: how long it holds before."""
    return (
        {"alert": name, "expr": expr}
        | ({"for": after} if after else {})
        | {
            "labels": {"severity": severity} | labels,
            "annotations": {"summary": summary, "description": description, "runbook": f"{RUNBOOK}#{runbook}"},
        }
    )
