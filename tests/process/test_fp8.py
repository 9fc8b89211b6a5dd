"""The real student and the paper's shape through ModelOpt, for real."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from querygist import settings
from querygist.errors import ConfigurationError
from tests.conftest import REPOSITORY, missing
from training.data.examples import Example, write_examples
from training.data.raw_dataset import read
from training.fp8 import environment
from training.fp8.check import check_logits
from training.fp8.float64 import in_float64
from training.fp8.source_model import expand_kv_heads, shipped_student

pytestmark = [pytest.mark.fp8, pytest.mark.timeout(1800)]

CALIBRATION = 4
QUALITY = 3


@pytest.fixture(scope="module")
def venv() -> Path:
    """ModelOpt's environment: in FP8_VENV, or where `make fp8-venv` puts it."""
    found = REPOSITORY / os.environ.get("FP8_VENV", ".venv-fp8")
    try:
        environment.interpreter(found)
    except ConfigurationError as error:
        missing(error.detail)
    return found


def quantize(folder: Path, venv: Path) -> str:
    command = [sys.executable, "-m", "training", "quantize", "--config", "training/configs/fp8.yaml"]
    overrides = {
        "fp8.folder": folder / "fp8",
        "fp8.venv": venv,
        "fp8.calibration_rows": CALIBRATION,
        "fp8.quality_rows": QUALITY,
        "work_dir": folder / "work",
        "evaluate.folder": folder / "results",
    }
    for name, value in overrides.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def made(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both checkpoints, and the comparison on the shortest rows."""
    folder = tmp_path_factory.mktemp("quantize")
    found = read([REPOSITORY / "tests/data/rows.jsonl"], seed=1, held_out=0.1)
    found.sort(key=lambda row: len(row.document))
    write_examples(
        folder / "work/test.jsonl",
        [
            Example(row.id, row.source, row.query, row.document, row.summary, 10, "positive", derived=False)
            for row in found[:QUALITY]
        ],
    )
    quantize(folder, venv)
    return folder


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return found


def test_the_export_keeps_the_hugging_face_configs_fields(made: Path) -> None:
    """The fields that decide what an engine computes, by hand: SmolLM2-135M, KV heads expanded."""
    config = config_of(made / "fp8/student/trtllm")
    assert (config["architecture"], config["decoder"], config["num_hidden_layers"]) == ("LlamaForCausalLM", "llama", 30)
    assert (config["num_attention_heads"], config["num_key_value_heads"], config["head_size"]) == (9, 9, 64)
    assert (config["hidden_size"], config["intermediate_size"], config["vocab_size"]) == (576, 1536, 49152)
    assert (config["rotary_base"], config["position_embedding_type"]) == (100_000.0, "rope_gpt_neox")
    assert (config["hidden_act"], config["logits_dtype"]) == ("silu", "float32")
    assert config["norm_epsilon"] == pytest.approx(1e-5)
    assert (config["share_embedding_table"], config["dtype"]) == (False, "float16")
    assert config["quantization"] == {
        "quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"],
    }  # fmt: skip


def test_the_paper_s_shape_is_exported_with_learned_positions(made: Path) -> None:
    config = config_of(made / "fp8/gpt2/trtllm")
    assert (config["architecture"], config["decoder"]) == ("GPT2LMHeadModel", "gpt")
    assert (config["num_hidden_layers"], config["hidden_size"], config["vocab_size"]) == (12, 768, 50257)
    assert (config["position_embedding_type"], config["gpt_variant"]) == ("learned_absolute", "gpt2")
    assert (config["hidden_act"], config["max_position_embeddings"]) == ("gelu_new", 1024)
    assert "position_embedding_type" in config_of_check(made, "gpt2")["mended_fields"]
    positions = load_file(made / "fp8/gpt2/trtllm/rank0.safetensors")["transformer.position_embedding.weight"]
    assert positions.shape == (1024, 768)


def config_of_check(made: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "fp8" / name / "checked.json").read_bytes())
    return found


@pytest.mark.parametrize("name", ["student", "gpt2"])
def test_what_is_read_back_computes_what_modelopt_simulated(made: Path, name: str) -> None:
    folder = made / "fp8" / name
    reference = load_file(folder / "reference.safetensors")
    assert len(reference["ids_0"]) > 250
    assert check_logits(folder / "trtllm", reference) <= 1e-6
    assert config_of_check(made, name)["largest_logit_difference"] <= 1e-6
    assert 0 < config_of_check(made, name)["largest_key"] < 448, "a KV scale of 1 saturates beyond"


@pytest.mark.parametrize("name", ["student", "gpt2"])
def test_weights_are_e4m3_and_near_those_they_were_made_from(made: Path, name: str) -> None:
    tensors = load_file(made / "fp8" / name / "trtllm/rank0.safetensors")
    source = load_file(made / "fp8" / name / "source/model.safetensors")
    stored = {one for one, tensor in tensors.items() if tensor.dtype == torch.float8_e4m3fn}
    assert len(stored) == {"student": 30 * 5, "gpt2": 12 * 4}[name]
    down = {"student": "model.layers.3.mlp.down_proj.weight", "gpt2": "transformer.h.3.mlp.c_proj.weight"}[name]
    original = source[down].float() if name == "student" else source[down].float().T
    ours = "transformer.layers.3.mlp.proj"
    back = tensors[f"{ours}.weight"].float() * tensors[f"{ours}.weights_scaling_factor"]
    assert ((back - original).abs() <= original.abs() / 15 + 2**-9 * tensors[f"{ours}.weights_scaling_factor"]).all()
    assert not torch.equal(back, original)


def test_fp8_is_compared_on_rows(made: Path) -> None:
    report = json.loads((made / "results/fp8/fp8.json").read_bytes())
    assert len(report["fp8"]) == QUALITY
    assert 0 <= report["costs"]["all"]["fp8"]["rouge"]["rouge2"]["mean"] <= 100


def test_what_is_there_is_not_made_again(made: Path, venv: Path) -> None:
    weights = made / "fp8/student/trtllm/rank0.safetensors"
    before = weights.stat().st_mtime_ns
    assert quantize(made, venv).count("is done already") == 2
    assert weights.stat().st_mtime_ns == before


def test_expanding_kv_heads_changes_no_logit_of_the_real_student() -> None:
    student = shipped_student(settings.load())
    assert student.config.num_attention_heads == 3 * student.config.num_key_value_heads
    ids = torch.randint(49152, (1, 48), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), in_float64(expand_kv_heads(student)) as expanded, in_float64(student):
        before, after = student(ids).logits, expanded(ids).logits
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
