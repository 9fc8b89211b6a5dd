"""The roofline: by hand at its two ends, and what must hold between them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from querygist.sizing.gpus import GPUS, L20, Gpu
from querygist.sizing.roofline import (
    KERNELS_PER_LAYER,
    PAPER,
    STUDENT,
    Architecture,
    Work,
    speedup,
    step_parts,
    step_seconds,
)

TINY = Architecture("tiny", 2, 8, 2, 1, 4, 16, 10, gated_mlp=True)
ROUND = Gpu("round", bandwidth=1e3, fp8=2e6, fp16=1e6, memory=1e9, source="", confidence="high")

works = st.lists(
    st.tuples(st.integers(1, 600), st.integers(0, 1000)).map(lambda drawn: Work(*drawn, logit_rows=1)),
    min_size=1,
    max_size=8,
)
gpus = st.sampled_from(list(GPUS.values()))
architectures = st.sampled_from([STUDENT, PAPER, TINY])


def test_weights_and_cache_by_hand() -> None:
    # attention: 8 x (2 + 1 + 1 + 2) x 4 = 8 x 8 queries, 8 x 4 keys, 8 x 4 values, 8 x 8 out; MLP: 3 x 8 x 16
    assert TINY.layer_weights == 2 * (64 + 32 + 32 + 64 + 384)
    assert TINY.kv_bytes_per_token == 2 * 2 * 1 * 4
    assert TINY.memory(100) == TINY.layer_weights + 2 * 80 * 2 + 100 * 16


def test_the_student_has_the_published_size_with_shared_kv_heads() -> None:
    shared = replace(STUDENT, kv_heads=3)
    # SmolLM2-135M: 134.5 M parameters with tied embeddings; norms (61 x 576) are not counted here
    assert shared.layer_weights + shared.lm_head_weights == 134_515_008 - 61 * 576


def test_gpt2_is_the_published_size() -> None:
    # GPT-2 small: 124.4 M, of which biases and norms 121,344 and positions 1,024 x 768 are not counted here
    assert PAPER.layer_weights + PAPER.lm_head_weights == 124_439_808 - 121_344 - 1024 * 768


def test_one_token_waits_for_memory() -> None:
    parts = step_parts(ROUND, TINY, [Work(1, 9, 1)], kernel_seconds=0.5)
    assert parts.layers == TINY.layer_weights / 1e3
    assert parts.attention == pytest.approx((9 + 2) * 16 / 1e3)
    assert parts.lm_head == pytest.approx((80 * 2 + 10 * 8) / 1e3)
    assert parts.kernels == 2 * KERNELS_PER_LAYER * 0.5
    assert step_seconds(ROUND, TINY, [Work(1, 9, 1)], kernel_seconds=0.5) == sum(parts)


def test_many_tokens_wait_for_arithmetic() -> None:
    fast_memory = replace(ROUND, bandwidth=1e15)
    parts = step_parts(fast_memory, TINY, [Work(1000, 0, 1000)], kernel_seconds=0.0)
    assert parts.layers == 2 * 1000 * TINY.layer_weights / 2e6
    assert parts.attention == 4 * 2 * 2 * 4 * (1000 * 1001 / 2) / 1e6
    assert parts.lm_head == 2 * 1000 * 80 / 1e6


def test_fp16_weights_take_the_fp16_peak_and_twice_the_traffic() -> None:
    wide = replace(TINY, weight_bytes=2)
    assert step_parts(ROUND, wide, [Work(1, 0, 0)]).layers == 2 * step_parts(ROUND, TINY, [Work(1, 0, 0)]).layers
    fast_memory = replace(ROUND, bandwidth=1e15)
    many = [Work(500, 0, 0)]
    assert step_parts(fast_memory, wide, many).layers == 2 * step_parts(fast_memory, TINY, many).layers


def test_no_logits_cost_no_output_layer() -> None:
    assert step_parts(L20, STUDENT, [Work(100, 0, 0)]).lm_head == 0


@given(gpus, architectures, works, st.integers(1, 500), st.integers(0, 500))
def test_more_work_never_costs_less(
    gpu: Gpu, architecture: Architecture, sequences: list[Work], new: int, context: int
) -> None:
    one = step_seconds(gpu, architecture, sequences)
    assert step_seconds(gpu, architecture, [*sequences, Work(new, context, 1)]) >= one
    longer = [Work(work.new_tokens + new, work.context_tokens + context, 1) for work in sequences]
    assert step_seconds(gpu, architecture, longer) >= one


@given(gpus, architectures, works)
def test_one_pass_for_all_never_costs_more_than_one_each(
    gpu: Gpu, architecture: Architecture, sequences: list[Work]
) -> None:
    together = step_seconds(gpu, architecture, sequences)
    apart = sum(step_seconds(gpu, architecture, [work]) for work in sequences)
    assert together <= apart * (1 + 1e-12)


@given(gpus, architectures, st.integers(1, 64), st.integers(1, 1000), st.floats(1.0, 6.0))
def test_speedup_is_at_most_s_and_falls_with_the_batch(
    gpu: Gpu, architecture: Architecture, batch: int, context: int, compression: float
) -> None:
    found = speedup(gpu, architecture, compression, 40, batch, context)
    assert 0 < found <= compression
    assert speedup(gpu, architecture, compression, 40, 2 * batch, context) <= found * (1 + 1e-12)
    assert speedup(gpu, architecture, compression, 1, batch, context) == pytest.approx(compression)


def test_every_figure_has_a_source() -> None:
    for gpu in GPUS.values():
        assert gpu.fp8 == pytest.approx(2 * gpu.fp16, rel=0.02)  # dense FP8 is twice FP16 on Ada and Hopper
        assert "NVIDIA" in gpu.source
