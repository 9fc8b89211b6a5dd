"""Whatever is wrong in a checkpoint is found, and named."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from querygist.errors import ArtifactError
from tests.unit.training.fp8.checkpoint_fixtures import Made, Tensors
from training.fp8 import readback
from training.fp8.check import MOST_DIFFERENCE, check, check_config, check_hugging_face, check_logits, check_tensors
from training.fp8.expected import expected_config
from training.fp8.float64 import in_float64

QKV = "transformer.layers.1.attention.qkv"


def other(value: Any) -> Any:
    """A value of the same kind that is not this one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value * 2 + 1
        case str():
            return f"{value}x"
        case dict():
            return value | {next(iter(value)): "x"}
    return "x"


def test_a_right_config_is_right(made: Made) -> None:
    check_config(made.config, made.source)


def test_every_field_of_the_config_is_compared(made: Made) -> None:
    for field, value in made.config.items():
        for wrong in (other(value), None if value is not None else 1):
            with pytest.raises(ArtifactError, match=rf"{field} is .* must be "):
                check_config(made.config | {field: wrong}, made.source)
        with pytest.raises(ArtifactError, match=rf"{field} is 'nothing' and must be"):
            check_config({name: kept for name, kept in made.config.items() if name != field}, made.source)


def test_a_field_that_nobody_accounts_for(made: Made) -> None:
    with pytest.raises(ArtifactError, match="moe is 3 and must be 'nothing'"):
        check_config(made.config | {"moe": 3}, made.source)


@pytest.mark.parametrize(
    ("field", "in_llama"),
    [
        ("hidden_size", "hidden_size"), ("num_hidden_layers", "num_hidden_layers"), ("vocab_size", "vocab_size"),
        ("num_attention_heads", "num_attention_heads"), ("num_key_value_heads", "num_key_value_heads"),
        ("head_size", "head_dim"), ("intermediate_size", "intermediate_size"), ("hidden_act", "hidden_act"),
        ("norm_epsilon", "rms_norm_eps"), ("max_position_embeddings", "max_position_embeddings"),
        ("rotary_base", "rope_theta"),
    ],
)  # fmt: skip
def test_what_a_llama_says_of_itself_is_what_is_expected(llama: Made, field: str, in_llama: str) -> None:
    assert expected_config(llama.source)[field] == llama.source[in_llama]
    assert expected_config(llama.source | {in_llama: other(llama.source[in_llama])})[field] != llama.config[field]


def test_what_a_gpt2_is() -> None:
    """The paper's architecture, by hand."""
    source = {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 12, "n_head": 12, "n_embd": 768,
        "n_inner": None, "n_positions": 1024, "vocab_size": 50257, "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new",
    }  # fmt: skip
    found = expected_config(source)
    assert found["architecture"] == "GPT2LMHeadModel"
    assert (found["num_key_value_heads"], found["head_size"], found["intermediate_size"]) == (12, 64, 3072)
    assert (found["position_embedding_type"], found["gpt_variant"]) == ("learned_absolute", "gpt2")
    assert (found["hidden_act"], found["q_scaling"], found["rmsnorm"], found["bias"]) == ("gelu_new", 1.0, False, True)
    assert not found["apply_query_key_layer_scaling"]
    assert "rotary_base" not in found


def test_kv_heads_that_kernels_cannot_use(llama: Made) -> None:
    source = llama.source | {"num_attention_heads": 6, "num_key_value_heads": 2}
    with pytest.raises(ArtifactError, match="3 query heads share a KV head"):
        check_config(expected_config(source), source)


def one_of_each(made: Made) -> Tensors:
    return {name: tensor for name, tensor in made.tensors.items() if ".layers.0." not in name}


def test_right_tensors_are_right(made: Made) -> None:
    check_tensors(made.tensors, made.source)


def test_every_tensor_must_be_there(made: Made) -> None:
    for name in one_of_each(made):
        with pytest.raises(ArtifactError, match=f"only one has {name}"):
            check_tensors({one: tensor for one, tensor in made.tensors.items() if one != name}, made.source)
    with pytest.raises(ArtifactError, match="only one has surplus"):
        check_tensors(made.tensors | {"surplus": torch.ones(1)}, made.source)


def test_every_tensor_has_its_shape_and_type(made: Made) -> None:
    for name, tensor in one_of_each(made).items():
        with pytest.raises(ArtifactError, match=f"{name} is .*must be"):
            check_tensors(made.tensors | {name: tensor[None]}, made.source)
        with pytest.raises(ArtifactError, match=f"{name} is .*must be"):
            check_tensors(made.tensors | {name: tensor.to(torch.bfloat16)}, made.source)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (f"{QKV}.weights_scaling_factor", -1.0, "is -1.0: a scale is positive"),
        (f"{QKV}.activation_scaling_factor", 0.0, "is 0.0: a scale is positive"),
        (f"{QKV}.activation_scaling_factor", float("nan"), "is not a number"),
        ("transformer.layers.0.attention.kv_cache_scaling_factor", 0.5, "is 0.5 and must be 1"),
        ("transformer.layers.1.attention.v_cache_scaling_factor", 2.0, "is 2.0 and must be 1"),
    ],
)
def test_scales(made: Made, name: str, value: float, said: str) -> None:
    with pytest.raises(ArtifactError, match=f"{name} .*{said}|{name} holds what {said}"):
        check_tensors(made.tensors | {name: torch.tensor([value])}, made.source)


def test_weights_that_do_not_use_their_scale(made: Made) -> None:
    half = (made.tensors[f"{QKV}.weight"].float() / 2).to(torch.float8_e4m3fn)
    with pytest.raises(ArtifactError, match=rf"{QKV}.weight reaches 224 and must reach 448"):
        check_tensors(made.tensors | {f"{QKV}.weight": half}, made.source)


def test_layers_that_run_as_one_have_one_scale(llama: Made) -> None:
    name = "transformer.layers.1.mlp.gate.weights_scaling_factor"
    with pytest.raises(ArtifactError, match=r"must be that of mlp\.fc and mlp\.gate"):
        check_tensors(llama.tensors | {name: llama.tensors[name] * 2}, llama.source)


def logits(made: Made, folder: Path) -> Tensors:
    ids = torch.tensor([5, 9, 2, 33, 59, 1, 1, 17])
    with torch.no_grad(), in_float64(readback.load(made.write(folder))) as model:
        return {"ids_0": ids, "logits_0": model(ids[None]).logits[0, -4:].clone()}


def test_a_checkpoint_computes_what_it_did(made: Made, tmp_path: Path) -> None:
    reference = logits(made, tmp_path / "one")
    assert check_logits(tmp_path / "one", reference) <= 1e-12


def test_small_mistakes_move_the_logits_beyond_what_is_allowed(made: Made, tmp_path: Path) -> None:
    reference = logits(made, tmp_path / "right")
    weight, input_scale = f"{QKV}.weight", f"{QKV}.activation_scaling_factor"
    swapped = made.tensors[weight].view(torch.uint8).clone()
    swapped[[3, 4]] = swapped[[4, 3]]
    step = made.tensors[weight].view(torch.uint8).clone()
    step[0, 0] ^= 1  # one weight, one step of E4M3
    wrong: list[tuple[dict[str, Any], Tensors]] = [
        ({}, {weight: swapped.view(torch.float8_e4m3fn)}),
        ({}, {weight: step.view(torch.float8_e4m3fn)}),
        ({}, {input_scale: made.tensors[input_scale] * 1.01}),
        ({"norm_epsilon": made.config["norm_epsilon"] * 1000}, {}),
    ]
    if "rotary_base" in made.config:
        wrong.append(({"rotary_base": 10000.0}, {}))
    else:
        wrong.append(({"hidden_act": "gelu"}, {}))
    for number, (fields, tensors) in enumerate(wrong):
        folder = Made(made.config | fields, made.tensors | tensors, made.source).write(tmp_path / f"{number}")
        with pytest.raises(ArtifactError, match="read back, gives logits that differ"):
            check_logits(folder, reference)


def test_logits_that_are_no_numbers(made: Made, tmp_path: Path) -> None:
    reference = logits(made, tmp_path / "one")
    reference["logits_0"][0, 0] = float("nan")
    with pytest.raises(ArtifactError, match=r"differ by (nan|inf)"):
        check_logits(tmp_path / "one", reference)


def hugging_face(made: Made) -> Tensors:
    """The export of the tiny Llama, by hand."""
    found: Tensors = {
        "model.embed_tokens.weight": made.tensors["transformer.vocab_embedding.weight"],
        "model.norm.weight": made.tensors["transformer.ln_f.weight"],
    }
    layers = {
        "self_attn.o_proj": "attention.dense", "mlp.gate_proj": "mlp.fc", "mlp.up_proj": "mlp.gate",
        "mlp.down_proj": "mlp.proj",
    }  # fmt: skip
    for number in range(2):
        here, there = f"model.layers.{number}", f"transformer.layers.{number}"
        found[f"{here}.input_layernorm.weight"] = made.tensors[f"{there}.input_layernorm.weight"]
        found[f"{here}.post_attention_layernorm.weight"] = made.tensors[f"{there}.post_layernorm.weight"]
        for place, kind in enumerate("qkv"):
            rows = made.tensors[f"{there}.attention.qkv.weight"][16 * place : 16 * (place + 1)]
            found[f"{here}.self_attn.{kind}_proj.weight"] = rows.clone()
        for name, theirs in (layers | {f"self_attn.{kind}_proj": "attention.qkv" for kind in "qkv"}).items():
            found.setdefault(f"{here}.{name}.weight", made.tensors[f"{there}.{theirs}.weight"])
            found[f"{here}.{name}.weight_scale"] = made.tensors[f"{there}.{theirs}.weights_scaling_factor"][0].clone()
            found[f"{here}.{name}.input_scale"] = made.tensors[f"{there}.{theirs}.activation_scaling_factor"][0].clone()
        for kind in "kv":
            found[f"{here}.self_attn.{kind}_proj.{kind}_scale"] = torch.tensor(1.0)
    return found


def test_the_hugging_face_export_holds_the_same(llama: Made) -> None:
    exported = hugging_face(llama)
    check_hugging_face(exported, llama.tensors, llama.source)
    for name, tensor in exported.items():
        with pytest.raises(ArtifactError, match=f"only one has {name}"):
            check_hugging_face(
                {one: kept for one, kept in exported.items() if one != name}, llama.tensors, llama.source
            )
        with pytest.raises(ArtifactError, match=f"{name} of the Hugging Face export"):
            changed = exported | {name: (tensor.float() * 2).to(tensor.dtype)}
            check_hugging_face(changed, llama.tensors, llama.source)


def test_the_whole_check_reads_what_the_step_leaves(llama: Made, tmp_path: Path) -> None:
    reference = logits(llama, tmp_path / "trtllm")
    save_file(reference, tmp_path / "reference.safetensors")
    (tmp_path / "hf").mkdir()
    save_file(hugging_face(llama), tmp_path / "hf/model.safetensors")
    assert check(tmp_path, llama.source) <= MOST_DIFFERENCE
    (tmp_path / "trtllm/config.json").write_text(json.dumps(llama.config | {"rotary_base": 1.0}))
    with pytest.raises(ArtifactError, match="rotary_base"):
        check(tmp_path, llama.source)


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no TensorRT-LLM checkpoint"):
        readback.load(tmp_path)


def test_another_architecture(llama: Made) -> None:
    with pytest.raises(ArtifactError, match="'mamba' are not exported"):
        check_tensors(llama.tensors, llama.source | {"model_type": "mamba"})
