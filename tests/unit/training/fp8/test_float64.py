"""A difference in the last bit stays one: CPUs and versions of torch differ by it."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training.fp8.float64 import in_float64


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=50, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.2,
    )  # fmt: skip
    return LlamaForCausalLM(shape).eval()


def moved_by(model: LlamaForCausalLM, change: float) -> float:
    """How far the logits move when every embedding grows by `change`, a share of it."""
    ids = torch.arange(40)[None]
    embedded = model.get_input_embeddings()(ids)
    with torch.inference_mode():
        before, after = model(inputs_embeds=embedded).logits, model(inputs_embeds=embedded * (1 + change)).logits
    return (after - before).abs().max().item()


def test_a_difference_far_below_float32_grows_no_larger() -> None:
    with in_float64(llama()) as model:
        assert 0 < moved_by(model, 1e-13) < 1e-11


def test_transformers_own_norm_would_make_it_one_of_float32() -> None:
    """What `in_float64` is for. A change of 1e-9 moves few numbers to the next of float32, and those by 6e-8."""
    with in_float64(llama()) as model:
        ours = moved_by(model, 1e-9)
    assert moved_by(llama().double(), 1e-9) > 10 * ours


def test_afterwards_the_model_is_as_it_was() -> None:
    model = llama()
    ids = torch.arange(9)[None]
    with torch.inference_mode():
        before = model(ids).logits
        with in_float64(model):
            assert model(ids).logits.dtype == torch.float64
        torch.testing.assert_close(model(ids).logits, before, rtol=0, atol=0)
