"""Series that dashboards and scaling read, computed once: the whole service's rates, quantiles, ratios of 5 minutes."""

from typing import Any

from deploy.objectives import ACCEPTED

WINDOW = "5m"

QUANTILES = (0.5, 0.95, 0.99)

HISTOGRAMS = (
    "querygist_e2e_request_latency_seconds",
    "querygist_time_to_first_token_seconds",
    "querygist_inter_token_latency_seconds",
    "querygist_request_queue_time_seconds",
)

Rule = dict[str, Any]
"""One rule of Prometheus' rule files."""

Groups = dict[str, list[Rule]]
"""Rules by the name of their group; those of a group are evaluated one after the other."""


def record(name: str, expr: str, **labels: str) -> Rule:
    """Return the rule that records `expr` as the series `name`, with these labels."""
    return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})


def groups() -> Groups:
    """Return the groups of `rules/recording.yml`."""
    return {
        "querygist_requests": _requests(),
        "querygist_latency": [_quantile(name, share) for name in HISTOGRAMS for share in QUANTILES],
        "querygist_engine": _engine(),
        "querygist_triton": _triton(),
    }


def quantiles_of(histogram: str) -> str:
    """Return the name of a histogram's recorded quantiles, told apart by the label `quantile`."""
    return f"{histogram.replace('querygist_', 'querygist:', 1)}:quantile_rate{WINDOW}"


def _quantile(histogram: str, share: float) -> Rule:
    expr = f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[{WINDOW}])))"
    return record(quantiles_of(histogram), expr, quantile=f"{share:g}")


def _rate(selector: str) -> str:
    return f"sum(rate({selector}[{WINDOW}]))"


def _requests() -> list[Rule]:
    accepted = ACCEPTED.replace("{window}", WINDOW)
    return [
        record("querygist:requests:rate5m", f"sum by (outcome) (rate(querygist_requests_total[{WINDOW}]))"),
        record(f"querygist:cache_hits:ratio_rate{WINDOW}", f"{_rate('querygist_cache_hits_total')}\n/\n{accepted}"),
    ]


def _engine() -> list[Rule]:
    """Return ratios of generations, as the gateways count them: whichever engine runs."""
    tokens, passes = _rate("querygist_generation_tokens_total"), _rate("querygist_forward_passes_total")
    accepted = _rate("querygist_candidate_tokens_accepted_total")
    drafted = _rate("querygist_candidate_tokens_drafted_total")
    return [
        record(f"querygist:step_compression:ratio_rate{WINDOW}", f"{tokens}\n/\n{passes}"),
        record(f"querygist:candidate_acceptance:ratio_rate{WINDOW}", f"{accepted}\n/\n{drafted}"),
    ]


def _triton() -> list[Rule]:
    """Return ratios of Triton's own page: cumulative times are microseconds; TensorRT-LLM's gauges are by a label."""
    requests = f"sum by (instance, model) (rate(nv_inference_request_success[{WINDOW}]))"

    def per_request(part: str) -> str:
        return f"sum by (instance, model) (rate(nv_inference_{part}_duration_us[{WINDOW}])) / 1e6\n/\n{requests}"

    blocks = 'nv_trt_llm_kv_cache_block_metrics{{kv_cache_block_type="{}"}}'.format
    return [
        record(f"querygist:triton_queue_seconds:mean_rate{WINDOW}", per_request("queue")),
        record(f"querygist:triton_compute_seconds:mean_rate{WINDOW}", per_request("compute_infer")),
        record(
            "querygist:trt_llm_kv_cache_used:ratio",
            f"sum by (instance, model) ({blocks('used')})\n/\nsum by (instance, model) ({blocks('max')})",
        ),
        record(
            "querygist:trt_llm_requests_in_flight:sum",
            'sum by (instance, model) (nv_trt_llm_request_metrics{request_type="active"})',
        ),
    ]
