"""Service level objectives, from which Prometheus' rules and Grafana's dashboards are made.

After a change: `python -m deploy.prometheus && python -m deploy.grafana`.
"""

from dataclasses import dataclass
from functools import partial

from deploy.promql import rate, ratio
from querygist.metrics import ANSWERED, CANCELLED, OUTCOMES_OF_CALLERS, OUTCOMES_OF_SERVICE

LATENCY_SECONDS = 2.5
"""An answer within this is in time, s. One of the histogram's buckets (`querygist.metrics.SECONDS`)."""

AVAILABILITY, LATENCY, GENERATED = 0.995, 0.95, 0.95
"""Shares that are promised over `PERIOD`. Above 1 - 1/14.4, or the fastest alert could never fire."""

PERIOD = "30d"
"""Period of the error budgets."""


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective: of the events that `total` counts, at least the share `objective` is not counted by `bad`.

    Both are PromQL with `{window}` in the place of a range: events a second.
    """

    name: str
    objective: float
    promise: str
    bad: str
    total: str

    @property
    def budget(self) -> float:
        """Share of events that may be bad."""
        return round(1 - self.objective, 6)

    def errors(self, window: str) -> str:
        """Return the PromQL of the share of bad events in the last `window`; NaN without events, so no alert."""
        return ratio(self.bad, self.total).replace("{window}", window)


_rate = partial(rate, window="{window}")


_DESERVED = f'outcome!~"{"|".join((*OUTCOMES_OF_CALLERS, CANCELLED))}"'
ACCEPTED = _rate(f"querygist_requests_total{{{_DESERVED}}}")
"""Requests that deserved an answer: neither the caller's mistake nor given up by the caller, a second."""

_NOT_QUOTED = _rate(f'querygist_requests_total{{{_DESERVED}, method!="extractive"}}')
_BY_MODEL = _rate(f'querygist_requests_total{{outcome=~"{"|".join(ANSWERED)}", method="generative"}}')
_STOOD_IN = _rate('querygist_requests_total{outcome="fallback"}')
"""Quotes that stand in for a summary, for lack of time or of an engine. Those that were asked for, or chosen by the
checker, are in none of these three: however many there are, they hide no engine that answers nothing."""

_ANSWERS = _rate("querygist_e2e_request_latency_seconds_count")
_LE = f'le="{float(LATENCY_SECONDS)}"'  # as prometheus_client writes it
_IN_TIME = _rate(f"querygist_e2e_request_latency_seconds_bucket{{{_LE}}}")
_GENERATED_IN_TIME = _rate(f'querygist_e2e_request_latency_seconds_bucket{{method="generative", {_LE}}}')

SLOS = (
    Slo(
        name="availability",
        objective=AVAILABILITY,
        promise="of the requests that deserve an answer get one",
        bad=_rate(f'querygist_requests_total{{outcome=~"{"|".join(OUTCOMES_OF_SERVICE)}"}}'),
        total=ACCEPTED,
    ),
    Slo(
        name="latency",
        objective=LATENCY,
        promise=f"of the answers are whole within {LATENCY_SECONDS:g} s",
        bad=f"({_ANSWERS} - {_IN_TIME})",
        total=_ANSWERS,
    ),
    Slo(
        name="fallback",
        objective=GENERATED,
        promise="of the summaries asked of the model come from it, not from a quote that stands in",
        bad=_STOOD_IN,
        total=f"({_BY_MODEL} + {_STOOD_IN})",
    ),
)

GOODPUT = ratio(_GENERATED_IN_TIME, f"({_NOT_QUOTED} + {_STOOD_IN})")
"""Share of the requests that deserved an answer by the model which got it in time; `{window}` as above."""
