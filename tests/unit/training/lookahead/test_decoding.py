"""pytest tests/unit/training/lookahead/test_decoding.py"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from training.lookahead.decoding import Pass, decode, layout, prefill
from training.lookahead.ngram_pool import Shape, replay

pytestmark = pytest.mark.training

VOCABULARY, END = 12, 0
"""Few tokens, so that n-grams come back and are accepted, as they are in documents."""

PROMPTS = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=30)
SHAPES = st.builds(Shape, st.integers(0, 5), st.integers(2, 6), st.integers(0, 5))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads only wait for each other in models of this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def tiny(kind: str, seed: int) -> Any:
    """A random model in float32."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": None, "initializer_range": 0.4}
    if kind == "llama":
        config = LlamaConfig(
            hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
            **sizes,
        )  # fmt: skip
        return LlamaForCausalLM(config).eval()
    return GPT2LMHeadModel(GPT2Config(n_embd=24, n_layer=2, n_head=2, n_positions=128, **sizes)).eval()


@torch.inference_mode()
def greedy(model: Any, prompt: list[int], most: int) -> tuple[int, ...]:
    """One token for each pass over everything, without a cache: what decoding must equal."""
    ids = list(prompt)
    while len(ids) < len(prompt) + most and ids[len(prompt) :][-1:] != [END]:
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@settings(max_examples=150, deadline=None)
@given(PROMPTS, SHAPES, st.integers(0, 9), st.integers(1, 30))
def test_lookahead_equals_greedy(kind: str, prompt: list[int], shape: Shape, seed: int, most: int) -> None:
    model = tiny(kind, seed)
    found = decode(model, prefill(model, prompt), shape, end_id=END, max_new_tokens=most, seed=seed)
    assert found.ids == greedy(model, prompt, most)
    assert sum(found.given) == len(found.ids)
    assert max(found.given) <= shape.ngram
    if shape.window == 0:
        assert list(found.given) == replay(shape, prompt, found.ids)


def test_lookahead_saves_passes_on_repetitive_text() -> None:
    saved = {"text": 0, "window": 0}
    for seed in range(10):
        model = tiny("llama", seed)
        for prompt in ([3, 5, 7, 2], [1, 9, 4, 4, 8]):
            begun = prefill(model, prompt)
            plain, text, both = (
                len(decode(model, begun, shape, end_id=END, max_new_tokens=40).given)
                for shape in (Shape(0, 5, 0), Shape(0, 5, 4), Shape(5, 5, 4))
            )
            saved["text"] += plain - text
            saved["window"] += text - both
    assert saved["text"] > 0
    assert saved["window"] > 0, "the window's guesses are accepted before the text repeats itself"


def sees(one: Pass, row: int) -> set[int]:
    return set(one.visible[row].nonzero().flatten().tolist())


def test_the_layout_of_4_6_4() -> None:
    """Against the table of the paper's authors' code and of TensorRT-LLM, written down row by row."""
    levels = [[100 + 10 * level + column for column in range(4)] for level in range(5)]
    candidates = [tuple(200 + 10 * number + place for place in range(5)) for number in range(4)]
    one = layout(levels, candidates, 100)
    assert one.ids.tolist() == [id_ for ids in (*levels, *candidates) for id_ in ids]
    assert one.offsets.tolist() == [
        0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, *[1, 2, 3, 4, 5] * 4
    ]  # fmt: skip
    assert one.last_level == [16, 17, 18, 19]
    assert [(row.start, row.stop) for row in one.rows] == [(20, 25), (25, 30), (30, 35), (35, 40)]
    expected = {0: {0}, 3: {0, 1, 2, 3}, 4: {0, 4}, 6: {0, 1, 2, 6}, 9: {0, 1, 5, 9}, 19: {0, 1, 2, 3, 7, 11, 15, 19}}
    expected |= {20: {0, 20}, 24: {0, 20, 21, 22, 23, 24}, 37: {0, 35, 36, 37}}
    for row, seen in expected.items():
        assert sees(one, row) == seen


@given(SHAPES, st.integers(0, 5))
def test_every_row_sees_each_position_up_to_its_own_once(shape: Shape, found: int) -> None:
    levels = [[7] * shape.window for _ in range(shape.ngram - 1)] if shape.window else []
    one = layout(levels, [(8,) * (shape.ngram - 1)] * min(found, shape.verification_set), 7)
    for row, offset in enumerate(one.offsets.tolist()):
        assert sorted(one.offsets[sorted(sees(one, row))].tolist()) == list(range(offset + 1))
    if found >= shape.verification_set:
        assert len(one.ids) == shape.tokens
