"""The engine's dashboard: decoding, Triton, and what stands behind it: TensorRT-LLM on GPUs, or the CPU model."""

from typing import Any

from deploy.grafana.panels import Panel, dashboard, lines, quantiles, rate


def engine() -> dict[str, Any]:
    """Return the dashboard `querygist-engine`."""
    return dashboard(
        "querygist-engine",
        "Querygist: engine",
        "Decoding as the gateways see it, and the pages of the Triton servers.",
        {
            "Decoding": _decoding(),
            "Triton servers": _servers(),
            "Triton's requests": _requests(),
            "TensorRT-LLM": _tensorrt_llm(),
            "GPU": _gpu(),
            "The CPU model in Triton": _cpu_model(),
        },
    )


def _decoding() -> list[Panel]:
    return [
        lines(
            "Step compression",
            "Tokens a forward pass: 1 without candidates or lookahead, more the more the model copies.",
            {"tokens a pass": "querygist:step_compression:ratio_rate5m"},
        ),
        lines(
            "Candidates accepted",
            "Share of the candidate tokens put before the model that it agreed with.",
            {"accepted": "querygist:candidate_acceptance:ratio_rate5m"},
            unit="percentunit",
        ),
        lines(
            "Batch of the embedded engine",
            "Requests that a forward pass made tokens for. Triton tells of its batches on its own page.",
            quantiles("querygist_batch_size", 0.5, 0.95),
        ),
    ]


def _servers() -> list[Panel]:
    return [
        lines(
            "Well, as its gateways see it",
            "1: every gateway sends it requests; 0: one of them does not.",
            {"{{endpoint}}": "min by (endpoint) (querygist_triton_endpoint_up)"},
        ),
        lines("Scraped", "Whether a scrape of its page succeeded.", {"{{instance}}": 'up{job="triton"}'}),
        lines(
            "Retries",
            "Requests given to another server before their first token.",
            {"retries": rate("querygist_triton_retries_total")},
            unit="reqps",
        ),
    ]


def _requests() -> list[Panel]:
    return [
        lines(
            "Requests",
            "By Triton's count, canaries included.",
            {
                "{{instance}} done": rate("nv_inference_request_success", "instance"),
                "{{instance}} failed, {{reason}}": rate("nv_inference_request_failure", "instance, reason"),
            },
            unit="reqps",
        ),
        lines("Pending", "Not yet begun.", {"{{instance}}": "nv_inference_pending_request_count"}),
        lines(
            "Waiting in Triton",
            "Mean of a request, of Triton's own queue.",
            {"{{instance}}": "querygist:triton_queue_seconds:mean_rate5m"},
            unit="s",
        ),
        lines(
            "Computing",
            "Mean of a request.",
            {"{{instance}}": "querygist:triton_compute_seconds:mean_rate5m"},
            unit="s",
        ),
    ]


def _tensorrt_llm() -> list[Panel]:
    return [
        lines(
            "KV cache in use",
            "Share of its blocks. Near 1 new requests wait for old ones.",
            {"{{instance}}": "querygist:trt_llm_kv_cache_used:ratio"},
            unit="percentunit",
        ),
        lines(
            "Requests in flight",
            "Batched in flight by TensorRT-LLM.",
            {"{{instance}}": "querygist:trt_llm_requests_in_flight:sum"},
        ),
        lines(
            "Requests by state",
            "As TensorRT-LLM counts them; context: reading their prompts.",
            {"{{instance}} {{request_type}}": 'nv_trt_llm_request_metrics{request_type!~"active|max"}'},
        ),
        lines(
            "Memory of the runtime",
            "Without weights and KV cache.",
            {"{{instance}}": 'nv_trt_llm_runtime_memory_metrics{memory_type="gpu"}'},
            unit="bytes",
        ),
    ]


def _gpu() -> list[Panel]:
    return [
        lines(
            "Busy", "Share of time with a kernel running.", {"{{gpu_uuid}}": "nv_gpu_utilization"}, unit="percentunit"
        ),
        lines(
            "Memory",
            "Share of the GPU's memory.",
            {"{{gpu_uuid}}": "nv_gpu_memory_used_bytes\n/\nnv_gpu_memory_total_bytes"},
            unit="percentunit",
        ),
        lines("Power", "Drawn now.", {"{{gpu_uuid}}": "nv_gpu_power_usage"}, unit="watt"),
    ]


def _cpu_model() -> list[Panel]:
    drafted, accepted = (
        rate(f"querygist_batcher_candidate_tokens_{what}_total", "instance") for what in ("drafted", "accepted")
    )
    batches, passes = (
        rate(f"querygist_batcher_{what}_total", "instance") for what in ("request_batch", "request_passes")
    )
    return [
        lines("Active", "Prompts taken in, not yet answered.", {"{{instance}}": "querygist_batcher_active_requests"}),
        lines("Mean batch", "Requests a forward pass made tokens for.", {"{{instance}}": f"{batches}\n/\n{passes}"}),
        lines(
            "Tokens",
            "Read and generated.",
            {
                "{{instance}} prompt": rate("querygist_batcher_prompt_tokens_total", "instance"),
                "{{instance}} generated": rate("querygist_batcher_generation_tokens_total", "instance"),
            },
            unit="cps",
        ),
        lines(
            "Candidates accepted",
            "As above, by server.",
            {"{{instance}}": f"{accepted}\n/\n{drafted}"},
            unit="percentunit",
        ),
    ]
