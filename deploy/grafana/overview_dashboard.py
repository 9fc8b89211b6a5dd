"""The operators' dashboard: is the service keeping its promises, and if not, why."""

from deploy.grafana.panels import WINDOW, Panel, dashboard, lines, numbers, quantiles, rate
from deploy.objectives import LATENCY_SECONDS, PERIOD, SLOS
from deploy.prometheus.burn_rate_alerts import BUDGET, BURNS, ERRORS
from deploy.prometheus.recording_rules import quantiles_of
from deploy.promql import quantile, ratio

_PROMISES = "; ".join(f"{slo.name}: {100 * slo.objective:g} % {slo.promise}" for slo in SLOS)
_UNANSWERABLE = ratio(
    rate("querygist_unanswerable_total", "method"), rate('querygist_requests_total{method!="none"}', "method")
)
_P95_BY_METHOD = quantile(0.95, "querygist_e2e_request_latency_seconds", WINDOW, "le, method, cached")


def _recorded(title: str, description: str, histogram: str, limits: tuple[float, ...] = ()) -> Panel:
    """Return a panel of the quantiles that Prometheus has recorded."""
    queries = {"quantile {{quantile}}": quantiles_of(f"querygist_{histogram}_seconds")}
    return lines(title, description, queries, unit="s", limits=limits)


OVERVIEW = dashboard(
    "querygist-overview",
    "Querygist: overview",
    "Objectives, traffic, latency, load and cache of all gateways together.",
    {
        "Objectives": [
            numbers(
                "Error budget left, were it always as in the last 3 days",
                f"Promised over {PERIOD}: {_PROMISES}. Red below zero: the promise is not kept.",
                {"{{slo}}": f"1 - {ERRORS}3d\n/ on (slo)\n{BUDGET}"},
                unit="percentunit",
                good=0,
            ),
            lines(
                "Error budget burn, 1 h",
                "1 spends the budget exactly in its period. Red: the rates at which a ticket and pages come.",
                {"{{slo}}": f"{ERRORS}1h\n/ on (slo)\n{BUDGET}"},
                limits=tuple(sorted(burn.rate for burn in BURNS)),
            ),
            lines(
                "Goodput",
                f"Share of the requests that deserve an answer by the model which got it within {LATENCY_SECONDS:g} s.",
                {"goodput": "querygist:goodput:ratio_rate5m"},
                unit="percentunit",
            ),
        ],
        "Traffic": [
            lines(
                "Summaries asked for, by outcome",
                "ok generative: by the model; ok extractive: a quote that was asked for or that the checker chose; "
                "fallback: a quote that stood in; cancelled: the client left; the rest are problem types.",
                {"{{outcome}} {{method}}": "querygist:requests:rate5m > 0"},
                unit="reqps",
                stacked=True,
            ),
            lines(
                "Tokens",
                "Prompt tokens sent to the engines, and tokens they generated.",
                {
                    "prompt": rate("querygist_prompt_tokens_total"),
                    "generated": rate("querygist_generation_tokens_total"),
                },
                unit="cps",
            ),
            lines("Prompt length", "Tokens of one prompt.", quantiles("querygist_request_prompt_tokens", 0.5, 0.95)),
        ],
        "Not answered by the model": [
            lines(
                "Quotes instead, by reason",
                "overload: no place; deadline: too late; engine: down or failed; not_ready: starting or draining; "
                "checker: what the model wrote did not stand up to the document. Only the last is no fallback.",
                {"{{reason}}": rate("querygist_fallbacks_total", "reason")},
                unit="reqps",
                stacked=True,
            ),
            lines(
                "Refused by admission",
                "overload: the queue is full; deadline: it is too long for this request.",
                {"{{reason}}": rate("querygist_sheds_total", "reason")},
                unit="reqps",
                stacked=True,
            ),
            lines(
                "Generations nobody waited for",
                "Stopped because the last client left or its deadline passed.",
                {"cancelled": rate("querygist_cancellations_total")},
                unit="reqps",
            ),
            lines(
                "Answers that there is none",
                "Share of answers that the document does not speak to the query. "
                "A jump: other traffic, or another model.",
                {"{{method}}": _UNANSWERABLE},
                unit="percentunit",
            ),
        ],
        "Latency": [
            _recorded("Whole answer", "Dashed: the objective.", "e2e_request_latency", (LATENCY_SECONDS,)),
            _recorded("First token", "From the request read to its first generated token.", "time_to_first_token"),
            _recorded("Between tokens", "One forward pass to the next, for each token.", "inter_token_latency"),
            lines(
                "p95 by the way it was answered",
                "Method, and whether from memory. extractive: quotes, asked for or standing in.",
                {"{{method}}, cached {{cached}}": _P95_BY_METHOD},
                unit="s",
            ),
        ],
        "Load": [
            _recorded("Waiting for a place", "Scale on this: it rises before anything fails.", "request_queue_time"),
            lines(
                "Requests in the engine",
                "At most QUERYGIST_MAX_IN_FLIGHT a gateway.",
                {"{{instance}}": "querygist_num_requests_running"},
            ),
            lines(
                "Requests waiting",
                "At most QUERYGIST_MAX_WAITING a gateway; more are refused.",
                {"{{instance}}": "querygist_num_requests_waiting"},
            ),
            lines(
                "Up",
                "Whether a scrape and the last canary inference of a gateway succeeded.",
                {"{{instance}}": 'up{job="gateway"}', "engine of {{instance}}": "querygist_engine_up"},
            ),
        ],
        "Cache": [
            lines(
                "Hit ratio",
                "Share of requests answered from memory or by joining one under way.",
                {"hits": "querygist:cache_hits:ratio_rate5m"},
                unit="percentunit",
            ),
            lines(
                "Hits by kind",
                "finished: from memory; in_flight: being answered just then; shared: another gateway has answered it.",
                {"{{kind}}": rate("querygist_cache_hits_total", "kind")},
                unit="reqps",
                stacked=True,
            ),
            lines(
                "Memory",
                "At most QUERYGIST_CACHE_MB a gateway.",
                {"{{instance}}": "querygist_cache_bytes"},
                unit="bytes",
            ),
            lines(
                "Shared cache: no answer",
                "Commands that Redis did not answer; a gateway then works alone for a second.",
                {"{{instance}}": rate("querygist_shared_cache_errors_total", "instance")},
                unit="ops",
            ),
        ],
    },
)
