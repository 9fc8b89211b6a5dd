"""Series that dashboards and scaling read, computed once: the whole service's rates, quantiles, ratios of 5 minutes."""

from typing import Any

from deploy.objectives import ACCEPTED
from deploy.promql import quantile, rate, ratio

WINDOW = "5m"

QUANTILES = (0.5, 0.95, 0.99)

HISTOGRAMS = (
    "querygist_e2e_request_latency_seconds",
    "querygist_time_to_first_token_seconds",
    "querygist_inter_token_latency_seconds",
    "querygist_request_queue_time_seconds",
)

BY_MODEL = "instance, model"
"""Labels that tell Triton servers apart."""

Rule = dict[str, Any]
"""One rule of Prometheus' rule files."""

Groups = dict[str, list[Rule]]
"""Rules by the name of their group; those of a group are evaluated one after the other."""


def record(name: str, expr: str, **labels: str) -> Rule:
    """Return the rule that records `expr` as the series `name`, with these labels."""
    return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})


def quantiles_of(histogram: str) -> str:
    """Return the name of a histogram's recorded quantiles; the label `quantile` tells them apart."""
    return f"{histogram.replace('querygist_', 'querygist:', 1)}:quantile_rate{WINDOW}"


def groups() -> Groups:
    """Return the groups of `rules/recording.yml`."""
    hits, accepted = rate("querygist_cache_hits_total", WINDOW), ACCEPTED.replace("{window}", WINDOW)
    blocks = f'sum by ({BY_MODEL}) (nv_trt_llm_kv_cache_block_metrics{{{{kv_cache_block_type="{{}}"}}}})'.format
    in_flight = f'sum by ({BY_MODEL}) (nv_trt_llm_request_metrics{{request_type="active"}})'
    return {
        "querygist_requests": [
            record(f"querygist:requests:rate{WINDOW}", rate("querygist_requests_total", WINDOW, "outcome, method")),
            record(f"querygist:cache_hits:ratio_rate{WINDOW}", ratio(hits, accepted)),
        ],
        "querygist_latency": [
            record(quantiles_of(name), quantile(share, name, WINDOW), quantile=f"{share:g}")
            for name in HISTOGRAMS
            for share in QUANTILES
        ],
        "querygist_engine": [  # of generations, as the gateways count them: whichever engine runs
            _ratio("step_compression", "generation_tokens", "forward_passes"),
            _ratio("candidate_acceptance", "candidate_tokens_accepted", "candidate_tokens_drafted"),
        ],
        "querygist_triton": [  # of Triton's own page
            _seconds_per_request("queue", "queue"),
            _seconds_per_request("compute", "compute_infer"),
            record("querygist:trt_llm_kv_cache_used:ratio", ratio(blocks("used"), blocks("max"))),
            record("querygist:trt_llm_requests_in_flight:sum", in_flight),
        ],
    }


def _ratio(name: str, part: str, whole: str) -> Rule:
    """Return the rule of one of the gateways' counters divided by another."""
    counters = (rate(f"querygist_{counter}_total", WINDOW) for counter in (part, whole))
    return record(f"querygist:{name}:ratio_rate{WINDOW}", ratio(*counters))


def _seconds_per_request(name: str, part: str) -> Rule:
    """Return the rule of a part of Triton's mean request: its cumulative times are microseconds."""
    seconds = f"{rate(f'nv_inference_{part}_duration_us', WINDOW, BY_MODEL)} / 1e6"
    requests = rate("nv_inference_request_success", WINDOW, BY_MODEL)
    return record(f"querygist:triton_{name}_seconds:mean_rate{WINDOW}", ratio(seconds, requests))
