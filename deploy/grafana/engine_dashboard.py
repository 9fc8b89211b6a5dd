"""The engine's dashboard: decoding, Triton, and what stands behind it: TensorRT-LLM on GPUs, or the CPU model."""

from deploy.grafana.panels import dashboard, lines, quantiles, rate
from deploy.promql import ratio


def _batcher(counter: str) -> str:
    """Return the PromQL of one of the CPU model's counters, a second, by server."""
    return rate(f"querygist_batcher_{counter}_total", "instance")


_MEAN_BATCH = ratio(_batcher("request_batch"), _batcher("request_passes"))
_ACCEPTANCE = ratio(_batcher("candidate_tokens_accepted"), _batcher("candidate_tokens_drafted"))

ENGINE = dashboard(
    "querygist-engine",
    "Querygist: engine",
    "Decoding as the gateways see it, and the pages of the Triton servers.",
    {
        "Decoding": [
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
        ],
        "Triton servers": [
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
        ],
        "Triton's requests": [
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
        ],
        "TensorRT-LLM": [
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
        ],
        "GPU": [
            lines(
                "Busy",
                "Share of time with a kernel running.",
                {"{{gpu_uuid}}": "nv_gpu_utilization"},
                unit="percentunit",
            ),
            lines(
                "Memory",
                "Share of the GPU's memory.",
                {"{{gpu_uuid}}": "nv_gpu_memory_used_bytes\n/\nnv_gpu_memory_total_bytes"},
                unit="percentunit",
            ),
            lines("Power", "Drawn now.", {"{{gpu_uuid}}": "nv_gpu_power_usage"}, unit="watt"),
        ],
        "The CPU model in Triton": [
            lines(
                "Active", "Prompts taken in, not yet answered.", {"{{instance}}": "querygist_batcher_active_requests"}
            ),
            lines("Mean batch", "Requests a forward pass made tokens for.", {"{{instance}}": _MEAN_BATCH}),
            lines(
                "Tokens",
                "Read and generated.",
                {
                    "{{instance}} prompt": _batcher("prompt_tokens"),
                    "{{instance}} generated": _batcher("generation_tokens"),
                },
                unit="cps",
            ),
            lines("Candidates accepted", "As above, by server.", {"{{instance}}": _ACCEPTANCE}, unit="percentunit"),
        ],
    },
)
