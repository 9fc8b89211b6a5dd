"""The steps before anything is served: whose checkpoints, which commands, our tensors against the image's template."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.gpu import build_steps
from deploy.gpu.build_steps import tensor_differences
from deploy.gpu.context import AcceptanceContext
from deploy.gpu.step_runner import StepFailed
from querygist.engines.base import Identity
from querygist.errors import ArtifactError, ConfigurationError
from querygist.triton_server.repository import CPU_MODEL, GPU_MODEL, load_config
from querygist.trtllm.checkpoint import identity_of, sign
from querygist.trtllm.engine_manifest import EngineManifest
from tests import container_double
from tests.conftest import WEIGHTS

OURS = load_config(GPU_MODEL)
FP8, FP16 = ({"quant_algo": name, "kv_cache_quant_algo": name} for name in ("FP8", None))


def template() -> str:
    """The image's template: our configuration with its placeholders, as TensorRT-LLM 1.2 has them."""
    text = (GPU_MODEL / "config.pbtxt").read_text()
    text = text.replace('backend: "tensorrtllm"', 'backend: "${triton_backend}"')
    text = text.replace("max_batch_size: 32", "max_batch_size: ${triton_max_batch_size}")
    text = text.replace("decoupled: true", "decoupled: ${decoupled_mode}")
    text = re.sub(r'(name: "\w+_logits" data_type: )TYPE_FP32', r"\1${logits_datatype}", text)
    return text.replace(
        '"prompt_embedding_table" data_type: TYPE_FP16',
        '"prompt_embedding_table" data_type: ${prompt_embedding_table_data_type}',
    )


class Scripts:
    """A container whose scripts write checkpoints, and which prints `printed`."""

    def __init__(self, printed: str = "") -> None:
        self.printed, self.ran = printed, list[Sequence[str]]()

    def run(self, words: Sequence[str], log: Path) -> None:
        self.ran.append(words)
        quantized = FP8 if "quantize.py" in words[1] else FP16
        container_double.checkpoint(Path(words[words.index("--output_dir") + 1]), quantized)

    def last_line(self, words: Sequence[str]) -> str:
        return self.printed


def with_container(context: AcceptanceContext, container: Any, **plan: Any) -> AcceptanceContext:
    return replace(context, container=container, plan=replace(context.plan, **plan))


@pytest.fixture
def exported(context: AcceptanceContext, identity: Identity) -> AcceptanceContext:
    """With the student's Hugging Face folder, as `quantize` writes it."""
    context.plan.hf.mkdir()
    shutil.copy(WEIGHTS / "tokenizer.json", context.plan.hf)
    sign(context.plan.hf, identity)
    return context


def test_without_a_checkpoint_the_gpu_quantizes(exported: AcceptanceContext, identity: Identity) -> None:
    scripts = Scripts()
    context = with_container(exported, scripts)
    build_steps.checkpoints(context)
    assert [words[1].rpartition("/")[2] for words in scripts.ran] == ["quantize.py", "convert_checkpoint.py"]
    built = {name: (one.weights, one.kv_cache) for name, one in context.checkpoints.items()}
    assert built == {"fp8": ("fp8", "fp8"), "fp8-kv16": ("fp8", "fp16"), "fp16": ("fp16", "fp16")}
    assert all(identity_of(one.folder) == identity for one in context.checkpoints.values())
    [first, *_] = (context.work / "calibration/train.jsonl").read_text().splitlines()
    assert json.loads(first)["text"].startswith("<|im_start|>"), "control tokens are those of the prompt"


@pytest.mark.parametrize("folder", ["hf", "fp8"])
def test_checkpoints_of_another_model_are_refused(
    exported: AcceptanceContext, identity: Identity, tmp_path: Path, folder: str
) -> None:
    sign(container_double.checkpoint(tmp_path / "fp8", FP8), identity)
    sign(tmp_path / folder, replace(identity, version="0.0.1"))
    with pytest.raises(ArtifactError, match=r"version is '0\.0\.1' there"):
        build_steps.checkpoints(with_container(exported, Scripts(), checkpoint=tmp_path / "fp8"))


def test_five_engines_are_built_and_read_back(
    exported: AcceptanceContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_steps.checkpoints(context := with_container(exported, Scripts()))
    monkeypatch.setenv("PATH", str(container_double.installed(tmp_path / "commands")), prepend=":")
    context.container = exported.container
    assert build_steps.machine(context)["gpu"] == "NVIDIA L20"
    assert set(build_steps.engines(context)) == {"lookahead", "plain", "lookahead-kv16", "plain-kv16", "fp16"}
    manifests = {name: EngineManifest.read(folder / "tensorrt_llm/1") for name, folder in context.repositories.items()}
    assert {name for name, one in manifests.items() if one.lookahead} == {"lookahead", "lookahead-kv16"}
    assert {name for name, one in manifests.items() if one.kv_cache == "fp16"} == {
        "lookahead-kv16",
        "plain-kv16",
        "fp16",
    }


def test_config_passes_with_the_images_template(context: AcceptanceContext) -> None:
    measured = build_steps.config(with_container(context, Scripts(json.dumps(template()))))
    assert measured["outputs"] == len(OURS.output)


def test_config_fails_on_another_tensor(context: AcceptanceContext) -> None:
    changed = template().replace('"acceptance_rate" data_type: TYPE_FP32', '"acceptance_rate" data_type: TYPE_FP16')
    with pytest.raises(StepFailed, match=r"1 tensors are not those of the image's .*: output acceptance_rate"):
        build_steps.config(with_container(context, Scripts(json.dumps(changed))))


def test_layout_and_comments_do_not_matter() -> None:
    """And the CPU model has the same tensors."""
    spread = template().replace("{ name:", "{\n  # a comment\n  name:")
    assert tensor_differences(load_config(CPU_MODEL), spread) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        ('"seed" data_type: TYPE_UINT64', '"seed" data_type: TYPE_INT64', "input seed"),
        (
            '"draft_input_ids" data_type: TYPE_INT32 dims: [ -1 ]',
            '"draft_input_ids" data_type: TYPE_INT32 dims: [ 1 ]',
            "input draft_input_ids",
        ),
        ('{ name: "batch_index"', '{ name: "batch_number"', "output batch_index"),
        (
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } optional: true',
            '"end_id" data_type: TYPE_INT32 dims: [ 1 ]',
            "input end_id",
        ),
    ],
    ids=["type", "dimensions", "name", "optional and reshape"],
)
def test_a_differing_tensor_is_named(ours: str, theirs: str, named: str) -> None:
    assert ours in template()
    found = tensor_differences(OURS, template().replace(ours, theirs))
    assert any(one.startswith(named) for one in found)
    assert len(found) == (2 if "batch" in named else 1), "a new name is missing on both sides"


@pytest.mark.parametrize("text", ["not a template", "input [ { name: ${nobody_fills_this} } ]"])
def test_an_unreadable_template_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="template cannot be read"):
        tensor_differences(OURS, text)
