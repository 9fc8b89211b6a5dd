"""What tests of the build share: the settings' part, an adapter, the engine's own words."""

import shutil
from pathlib import Path

import numpy as np

from querygist import settings
from querygist.artifact import built_model, openvino_ir
from querygist.settings import Settings
from tests.unit.artifact import reference, tiny
from tests.unit.artifact.test_manifest import change

PROMPT = [1, 40, 60, 75, 99, 130, 2, 77, 41, 200]


def chosen(weights_dir: Path, cache_dir: Path, **others: object) -> Settings:
    """Settings that mean the model in `weights_dir`, in fp32."""
    return settings.load(**{"weights_dir": weights_dir, "cache_dir": cache_dir, "precision": "fp32"} | others)


def replace(choice: Settings, **changes: object) -> Settings:
    return choice.model_copy(update=changes)


def copy_instead(gguf: Path) -> None:
    """Stands in for OpenVINO's conversion (two seconds): files of the right names that depend on the model."""
    for name in openvino_ir.FILES:
        shutil.copyfile(gguf, gguf.parent / name)


def add_adapter(weights_dir: Path) -> reference.Weights:
    """Ship a random adapter; returns the merged weights under Hugging Face's names."""
    adapter = tiny.write_adapter(weights_dir / "adapter.safetensors", scale=0.3)
    entry = {"file": "adapter.safetensors", "rank": 4, "alpha": 8}
    change(
        weights_dir, lambda m: m.update(adapter=entry | {"sha256": tiny.sha256(weights_dir / "adapter.safetensors")})
    )
    weights = tiny.weights(seed=0)
    for name in weights:
        prefix = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{prefix}.lora_A.weight" in adapter:
            weights[name] = weights[name] + 2 * adapter[f"{prefix}.lora_B.weight"] @ adapter[f"{prefix}.lora_A.weight"]
    return weights


def engine_greedy(built: built_model.BuiltModel, ids: list[int], steps: int) -> list[int]:
    """What OpenVINO GenAI continues `ids` with, in fp32."""
    import openvino
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.num_kv_blocks = 64
    precise = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    pipeline = openvino_genai.ContinuousBatchingPipeline(str(built.path), scheduler, "CPU", precise)
    generation = openvino_genai.GenerationConfig()
    generation.max_new_tokens, generation.do_sample, generation.ignore_eos = steps, False, True
    generation.eos_token_id, generation.stop_token_ids = tiny.END_ID, {tiny.END_ID}
    handle = pipeline.add_request(0, openvino.Tensor(np.array([ids], np.int64)), generation)
    while pipeline.has_non_finished_requests():
        pipeline.step()
    found: list[int] = []
    while handle.can_read():
        for output in handle.read().values():
            found += output.generated_ids
    return found
