"""Alerts on how fast the error budgets burn: several windows, several rates.

After the SRE Workbook, chapter "Alerting on SLOs", table 5-8: the long window tells that it matters, the short one that
it still goes on.
"""

from dataclasses import dataclass

from deploy.objectives import GOODPUT, PERIOD, SLOS, Slo
from deploy.prometheus.recording_rules import Groups, Rule, record

ERRORS, BUDGET = "querygist:slo_errors:ratio_rate", "querygist:slo_budget:ratio"


@dataclass(frozen=True, slots=True)
class Burn:
    """Fires when the budget burns `rate` times as fast as it may, in both windows."""

    severity: str
    rate: float
    long: str
    short: str


BURNS = (Burn("page", 14.4, "1h", "5m"), Burn("page", 6, "6h", "30m"), Burn("ticket", 1, "3d", "6h"))

WINDOWS = ("5m", "30m", "1h", "6h", "3d")


def groups() -> Groups:
    """Return the group of `rules/slo.yml`: one, so that alerts see what was recorded in the same round."""
    rules = [record(BUDGET, f"vector({slo.budget})", slo=slo.name) for slo in SLOS]
    rules += [record(f"{ERRORS}{window}", slo.errors(window), slo=slo.name) for slo in SLOS for window in WINDOWS]
    rules += [_alert(slo, burn) for slo in SLOS for burn in BURNS]
    rules += [record("querygist:goodput:ratio_rate5m", GOODPUT.replace("{window}", "5m"))]
    return {"querygist_slo": rules}


def _alert(slo: Slo, burn: Burn) -> Rule:
    limit = f"({burn.rate:g} * {slo.budget})"
    long, short = (f'{ERRORS}{window}{{slo="{slo.name}"}} > {limit}' for window in (burn.long, burn.short))
    return {
        "alert": f"Querygist{slo.name.title()}BudgetBurn",
        "expr": f"{long}\nand\n{short}",
        "labels": {"severity": burn.severity, "slo": slo.name, "long": burn.long},
        "annotations": {
            "summary": f"The {slo.name} budget burns {burn.rate:g} times as fast as it may",
            "description": (
                f"Promised over {PERIOD}: {100 * slo.objective:g} % {slo.promise}. In the last {burn.long} "
                "{{ $value | humanizePercentage }} did not."
            ),
            "runbook": f"docs/runbook.md#{slo.name}",
        },
    }
