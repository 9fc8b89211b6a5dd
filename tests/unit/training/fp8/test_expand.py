"""pytest tests/unit/training/fp8/test_expand.py"""

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from training.fp8.float64 import in_float64
from training.fp8.source_model import expand_kv_heads


def llama(kv_heads: int, group: int, head: int, seed: int, **config: object) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    heads = kv_heads * group
    shape = LlamaConfig(
        vocab_size=50, hidden_size=heads * head, intermediate_size=24, num_hidden_layers=2, num_attention_heads=heads,
        num_key_value_heads=kv_heads, initializer_range=0.4, **config,
    )  # fmt: skip
    return LlamaForCausalLM(shape).eval()


@examples(max_examples=25)
@given(
    kv_heads=st.integers(1, 3), group=st.integers(1, 4), head=st.sampled_from([2, 4, 8]), seed=st.integers(0, 999),
    length=st.integers(1, 12), bias=st.booleans(), tied=st.booleans(),
)  # fmt: skip
def test_it_computes_the_same(
    kv_heads: int, group: int, head: int, seed: int, length: int, bias: bool, tied: bool
) -> None:
    model = llama(kv_heads, group, head, seed, attention_bias=bias, tie_word_embeddings=tied)
    if bias:
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter)
    expanded = expand_kv_heads(model)
    assert expanded.config.num_key_value_heads == kv_heads * group
    ids = torch.randint(50, (2, length), generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode(), in_float64(model), in_float64(expanded):
        torch.testing.assert_close(expanded(ids).logits, model(ids).logits, rtol=0, atol=1e-6)


def test_the_order_of_heads_matters() -> None:
    """Heads repeated as a whole (a b a b) instead of each in its place (a a b b) would be another model."""
    model = llama(2, 2, 4, seed=0)
    expanded, wrong = expand_kv_heads(model), expand_kv_heads(model)
    for layer, original in zip(wrong.model.layers, model.model.layers, strict=True):
        layer.self_attn.k_proj.weight.data = original.self_attn.k_proj.weight.repeat(2, 1)
    ids = torch.arange(10)[None]
    with torch.inference_mode():
        assert (wrong(ids).logits - expanded(ids).logits).abs().max() > 0.1


def test_the_original_and_everything_else_stay() -> None:
    rope = {"rope_type": "default", "rope_theta": 77.0}
    model = llama(1, 3, 4, seed=1, rope_parameters=rope, rms_norm_eps=0.01).double()
    expanded = expand_kv_heads(model)
    assert model.config.num_key_value_heads == 1
    assert model.model.layers[0].self_attn.k_proj.weight.shape == (4, 12)
    before, after = model.config.to_dict(), expanded.config.to_dict()
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert differing <= {"num_key_value_heads", "architectures"}
    assert expanded.dtype == model.dtype == torch.float64
    same = [name for name in model.state_dict() if ".k_proj." not in name and ".v_proj." not in name]
    assert all(torch.equal(model.state_dict()[name], expanded.state_dict()[name]) for name in same)


@pytest.mark.parametrize("part", ["k_proj", "v_proj"])
def test_each_head_stands_beside_its_copies(part: str) -> None:
    model = llama(2, 3, 2, seed=2)
    rows = getattr(model.model.layers[1].self_attn, part).weight
    found = getattr(expand_kv_heads(model).model.layers[1].self_attn, part).weight
    assert torch.equal(found, torch.cat([rows[:2]] * 3 + [rows[2:]] * 3))
