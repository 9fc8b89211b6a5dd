"""Cost of one forward pass on a GPU: a roofline, and the launches of its kernels.

A pass runs three kinds of work one after another: the layers' weights, attention over the cached keys and values, and
the output layer. Each takes the longer of its arithmetic at the peak rate and its memory traffic at the peak bandwidth
(Williams, Waterman and Patterson, "Roofline", 2009). To this comes a constant time for each kernel.

What is left out makes real passes longer: kernels below the peak, the host's scheduling, sampling, detokenization.
Activations are taken to stay in the L2 cache. No figure is fitted to any measured or published latency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from querygist.sizing.gpus import Gpu

KERNELS_PER_LAYER = 10
"""Assumed, for TensorRT-LLM's FP8 layer: norm with quantization, QKV, position and cache update, attention,
quantization, output projection, norm with residual, gate and up, activation with quantization, down."""

KERNEL_SECONDS = 2.5e-6
"""Assumed: what a kernel costs beside its work, in a chain of dependent ones. A launch from the host takes 4-6 us
(susun-blog.com/blog/pegainfer-3-cuda-graph, measured on an RTX 5070 Ti), partly hidden behind the kernel before; within
a CUDA graph it is about 1 us. `SENSITIVITY` is the range that reports show."""

SENSITIVITY = (0.0, 1e-6, KERNEL_SECONDS, 5e-6)

_LOGIT_BYTES = 2 * 4
"""TensorRT-LLM's logits are fp32: written once, read once by the greedy choice."""


class StepParts(NamedTuple):
    """Seconds of one pass, by what they are spent on."""

    layers: float
    attention: float
    lm_head: float
    kernels: float


class Work(NamedTuple):
    """The work of one pass for one sequence: `new_tokens` go in behind `context_tokens` that are cached already;
    `logit_rows` of them get logits (a prompt needs the last, a verifying pass all)."""

    new_tokens: int
    context_tokens: int
    logit_rows: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder's shape. `*_bytes` are bytes of one weight, one key or value element, one output-layer weight."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocabulary: int
    gated_mlp: bool
    weight_bytes: int = 1
    kv_bytes: int = 1
    lm_head_bytes: int = 2

    @property
    def layer_weights(self) -> int:
        """Weights of all layers: attention's projections and the MLP's, without norms and embeddings."""
        attention = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)
        mlp = (3 if self.gated_mlp else 2) * self.hidden * self.ffn
        return self.layers * (attention + mlp)

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of cached keys and values of one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.kv_bytes

    @property
    def lm_head_weights(self) -> int:
        """Weights of the output layer."""
        return self.hidden * self.vocabulary

    def memory(self, cached_tokens: int) -> int:
        """Bytes of the weights (input embeddings too, as large as the output layer) and of that many cached tokens."""
        weights = self.layer_weights * self.weight_bytes + 2 * self.lm_head_weights * self.lm_head_bytes
        return weights + cached_tokens * self.kv_bytes_per_token


STUDENT = Architecture(
    name="student (SmolLM2-135M)",
    layers=30,
    hidden=576,
    heads=9,
    kv_heads=9,  # 3, expanded: TensorRT-LLM's speculative attention kernels need it (exactly equivalent)
    head_dim=64,
    ffn=1536,
    vocabulary=49_152,
    gated_mlp=True,
)
"""As exported for TensorRT-LLM: FP8 weights, FP8 keys and values, fp16 output layer."""

PAPER = Architecture(
    name="paper (GPT-2 12 x 768)",
    layers=12,
    hidden=768,
    heads=12,
    kv_heads=12,
    head_dim=64,
    ffn=3072,
    vocabulary=50_257,
    gated_mlp=False,
)
"""QDGenSumRT's "0.1B, GPT-2-style, 12 layers, hidden 768" (arXiv 2508.20559) in GPT-2's proportions; its vocabulary is
not published, GPT-2's is taken."""

ARCHITECTURES = (STUDENT, PAPER)


def step_parts(
    gpu: Gpu, architecture: Architecture, sequences: Sequence[Work], *, kernel_seconds: float = KERNEL_SECONDS
) -> StepParts:
    """Split the seconds of one forward pass over `sequences`, of which there is at least one."""
    tokens = cached = pairs = rows = 0
    for new, context, logit_rows in sequences:
        tokens += new
        cached += context + 2 * new  # the context and the new tokens are read, the new ones written
        pairs += new * context + new * (new + 1) // 2
        rows += logit_rows
    weights = architecture.layer_weights
    fast = gpu.fp8 if architecture.weight_bytes == 1 else gpu.fp16
    attention_flops = 4 * architecture.layers * architecture.heads * architecture.head_dim * pairs
    lm_head = 0.0
    if rows:
        head = architecture.lm_head_weights
        traffic = head * architecture.lm_head_bytes + rows * architecture.vocabulary * _LOGIT_BYTES
        lm_head = max(2 * rows * head / gpu.fp16, traffic / gpu.bandwidth)
    return StepParts(
        layers=max(2 * tokens * weights / fast, weights * architecture.weight_bytes / gpu.bandwidth),
        attention=max(attention_flops / gpu.fp16, cached * architecture.kv_bytes_per_token / gpu.bandwidth),
        lm_head=lm_head,
        kernels=architecture.layers * KERNELS_PER_LAYER * kernel_seconds,
    )


def step_seconds(
    gpu: Gpu, architecture: Architecture, sequences: Sequence[Work], *, kernel_seconds: float = KERNEL_SECONDS
) -> float:
    """Seconds of one forward pass over `sequences`, at least one."""
    return sum(step_parts(gpu, architecture, sequences, kernel_seconds=kernel_seconds))


def speedup(
    gpu: Gpu,
    architecture: Architecture,
    S: float,  # noqa: N803  the literature's name
    tokens_per_step: int,
    batch: int,
    context: int,
    *,
    kernel_seconds: float = KERNEL_SECONDS,
) -> float:
    """S t(1) / t(n): how many times faster decoding is when a pass has n = `tokens_per_step` tokens of each sequence
    and gives S of them, for `batch` sequences of `context` tokens. Every token of a verifying pass gets logits.

    (TensorRT-LLM keeps a row for each draft token and one more: llmRequest.h, `setGenerationLogitsHost`.)
    """
    plain, wide = (
        step_seconds(gpu, architecture, [Work(n, context, n)] * batch, kernel_seconds=kernel_seconds)
        for n in (1, tokens_per_step)
    )
    return S * plain / wide
