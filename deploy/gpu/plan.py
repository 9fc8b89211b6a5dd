"""What an acceptance does, and when it is green: every number that decides something, in one place."""

from dataclasses import dataclass
from pathlib import Path

from querygist.trtllm.container import IMAGE

TARGET_MS, TARGET_RATE = 55.0, 150.0
"""QDGenSumRT's operating point: less than 55 ms on average (arXiv 2508.20559), 50,000 requests a second on 334 L20s."""

MOST_DIFFERING = 0.05
"""Share of rows whose greedy output may depend on how it was decoded: FP8 kernels round by the shape of a pass, and a
near tie may fall the other way. In fp32 it is 0 (tests of training/lookahead/decoding.py).
"""

MOST_ROUGE2_LOST = 1.0
"""Points of ROUGE-2 F1 x 100 that FP8 may cost against FP16, on the mean over all rows."""

LATE_MS = 5.0
"""Requests that leave later than this at the 99th percentile measure the client, and not the server."""

SERVED, PLAIN, SERVED_KV16, PLAIN_KV16, FP16 = "lookahead", "plain", "lookahead-kv16", "plain-kv16", "fp16"
"""The engines: what is served; without lookahead; both with keys and values in FP16; all FP16, without lookahead."""

TIMED = (SERVED, PLAIN, SERVED_KV16, PLAIN_KV16)

EXAMPLES = "/app/examples"
"""Where the image keeps TensorRT-LLM's examples of its own release."""

TEMPLATE = "/app/all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt"
"""The image's template of our config.pbtxt."""

SEED = 7


@dataclass(frozen=True, slots=True)
class Plan:
    """One acceptance. `checkpoint` None: quantize `hf` on the GPU. Rates in requests a second; `seconds` at each."""

    hf: Path
    out: Path
    rows: Path
    weights: Path
    checkpoint: Path | None = None
    image: str | None = IMAGE
    batches: tuple[int, ...] = (1, 8, 32)
    rates: tuple[float, ...] = (50.0, 100.0, TARGET_RATE, 200.0)
    seconds: float = 60.0
    warm_up_seconds: float = 5.0
