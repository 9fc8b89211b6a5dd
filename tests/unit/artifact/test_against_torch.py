"""The merge against torch, transformers and peft, where they are installed (extra: train)."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from querygist.artifact import lora
from querygist.artifact.manifest import AdapterEntry
from querygist.artifact.merge import Type, merge, reader
from tests.conftest import missing
from tests.unit.artifact import tiny


@pytest.fixture(autouse=True)
def _torch() -> None:
    absent = [name for name in ("torch", "transformers", "peft") if importlib.util.find_spec(name) is None]
    if absent:
        missing(f"{', '.join(absent)} not installed: pip install 'querygist[train]'")


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """The tiny model as transformers loads it."""
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(tiny.write_folder(tmp_path / "hf")).eval()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft 0.21's own
@pytest.mark.parametrize("rslora", [False, True])
def test_the_merge_is_pefts(model: Any, tmp_path: Path, rslora: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    tiny.write_gguf(tmp_path / "base.gguf")
    modules = [name.split(".")[1] for name in lora.PROJECTIONS]
    config = LoraConfig(r=8, lora_alpha=12, target_modules=modules, use_rslora=rslora, task_type="CAUSAL_LM")
    tuned = get_peft_model(model, config)
    torch.manual_seed(7)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    tuned.save_pretrained(tmp_path)

    entry = AdapterEntry(file="adapter_model.safetensors", sha256="0" * 64, rank=8, alpha=12, rslora=rslora)
    merge(reader(tmp_path / "base.gguf"), lora.load(tmp_path, entry), tmp_path / "merged.gguf", Type.F32)
    ours = tiny.tensors(tmp_path / "merged.gguf")

    theirs = {name: values.numpy() for name, values in tuned.merge_and_unload().state_dict().items()}
    moved = 0.0
    for layer in range(tiny.LAYERS):
        for name, gguf_name in (lora.PROJECTIONS | tiny.NORMS).items():
            found = ours.pop(f"blk.{layer}.{gguf_name}.weight")
            if gguf_name in {"attn_q", "attn_k"}:
                found = tiny.hugging_face_order(found, tiny.HEADS if gguf_name == "attn_q" else tiny.KV_HEADS)
            expected = theirs[f"model.layers.{layer}.{name}.weight"]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
            moved = max(moved, np.abs(expected - tiny.weights(0)[f"model.layers.{layer}.{name}.weight"]).max())
    assert moved > 0.1
    np.testing.assert_array_equal(ours.pop("token_embd.weight"), theirs["model.embed_tokens.weight"])
    np.testing.assert_array_equal(ours.pop("output_norm.weight"), theirs["model.norm.weight"])
    assert ours == {}


def test_the_reference_of_these_tests_is_transformers(model: Any) -> None:
    import torch

    from tests.unit.artifact import reference

    ids = [1, 40, 60, 75, 99, 130, 2, 77, 41, 200]
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0, -1].numpy()
    np.testing.assert_allclose(reference.logits(tiny.weights(0), ids), expected, rtol=0, atol=1e-4)
