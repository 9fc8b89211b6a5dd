"""Stage `quantize`: FP8 checkpoints for TensorRT-LLM, checked, and what FP8 costs in quality.

fp8.folder/<model>/source/       the model to quantize, calibration.json and probes.json beside it
fp8.folder/<model>/trtllm/       the checkpoint that `trtllm-build` reads; its fingerprint is written when it is checked
fp8.folder/<model>/hf/           the same as a Hugging Face folder (the student)
fp8.folder/<model>/checked.json  what the check found
docs/results/fp8/                the cost: `training.fp8.quality`
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors.torch import load_file

from querygist import settings
from querygist.artifact.manifest import Manifest
from querygist.files import replacing, sha256_of
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import Settings
from querygist.trtllm.checkpoint import sign
from training import fingerprint
from training.config import Config
from training.fp8 import calibration, check, environment, quality, readback, source_model
from training.fp8.expected import repair

FINGERPRINT = "checkpoint.fingerprint.json"
CHECKED = "checked.json"
_DECIDING = tuple(
    f"training.fp8.{name}" for name in ("calibration", "check", "expected", "modelopt_step", "readback", "source_model")
)
"""The modules that decide what a checkpoint is; the step in ModelOpt's environment is not imported here."""


def run(config: Config, console: Console) -> None:
    """Make and check every checkpoint of `fp8.models` that is not there yet, then compare. Raises QuerygistError."""
    service = settings.load()
    for name in config.fp8.models:
        _checkpoint(name, config, service, console)
    if config.fp8.quality_rows and "student" in config.fp8.models:
        quality.run(config, service, config.fp8.folder / "student" / "trtllm", console)


def _checkpoint(name: str, config: Config, service: Settings, console: Console) -> None:
    manifest = Manifest.load(service.weights_dir)
    folder = config.fp8.folder / name
    sequences = _sequences(name, config, service, manifest)
    made_from = {
        "model": f"seed {config.seed}" if name == "gpt2" else str(manifest.identity("fp32")),
        "calibration": fingerprint.sha256_of_text(json.dumps(sequences)),
        "code": "".join(map(fingerprint.sha256_of_code, _DECIDING)) + sha256_of(Path(__file__)),
        "requirements": sha256_of(Path(__file__).with_name("requirements.txt")),
    }
    if fingerprint.matches(folder / "trtllm" / FINGERPRINT, made_from):
        console.print(f"quantize: {name} is done already, {folder / 'trtllm'}")
        return
    environment.interpreter(config.fp8.venv)  # before minutes are spent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print(f"quantize: {name}, {len(sequences)} prompts to calibrate on")
    source_model.write(_model(name, config, service), folder / "source")
    if name == "student":
        shutil.copyfile(service.weights_dir / manifest.tokenizer.file, folder / "source" / "tokenizer.json")
    _write(folder / "calibration.json", sequences)
    _write(folder / "probes.json", [sequences[0], sequences[-1]])
    environment.quantize(config.fp8.venv, folder)
    _check(name, folder, sequences, console)
    if name == "student":  # the other is nobody's, and never becomes an engine
        sign(folder / "source", replace(manifest.identity("fp32"), precision="fp16"))
        sign(folder / "trtllm", replace(manifest.identity("fp32"), precision="fp8"))
    outputs = [folder / "trtllm" / file for file in (readback.CONFIG, readback.WEIGHTS)]
    fingerprint.write(folder / "trtllm" / FINGERPRINT, made_from, outputs)


def _check(name: str, folder: Path, sequences: Sequence[Sequence[int]], console: Console) -> None:
    config = source_model.read_config(folder / "source")
    mended = repair(folder / "trtllm", config)
    difference = check.check(folder, config)
    reference = load_file(folder / "reference.safetensors")
    found = {
        "mended_fields": mended,
        "largest_logit_difference": difference,
        "largest_key": reference["largest_key"].max().item(),
        "largest_value": reference["largest_value"].max().item(),
        "calibration_tokens": calibration.lengths(sequences),
        "bytes": (folder / "trtllm" / readback.WEIGHTS).stat().st_size,
    }
    _write(folder / CHECKED, found)
    console.print(f"quantize: {name} is checked, {folder / CHECKED}")


def _sequences(name: str, config: Config, service: Settings, manifest: Manifest) -> list[list[int]]:
    if name == "gpt2":
        return source_model.random_prompts(config.seed, count=min(8, config.fp8.calibration_rows))
    tokenizer = Tokenizer(service.weights_dir / manifest.tokenizer.file)
    return calibration.sequences(config, tokenizer, manifest.identity(service.precision))


def _model(name: str, config: Config, service: Settings) -> Any:
    if name == "gpt2":
        return source_model.random_gpt2(config.seed)
    return source_model.expand_kv_heads(source_model.shipped_student(service))


def _write(path: Path, content: Any) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=None if isinstance(content, list) else 2) + "\n", "utf-8")
