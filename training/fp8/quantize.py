"""Stage `quantize`: FP8 checkpoints for TensorRT-LLM, checked, and what FP8 costs in quality.

fp8.folder/<model>/source/       the model to quantize, calibration.json and probes.json beside it
fp8.folder/<model>/trtllm/       the checkpoint that `trtllm-build` reads; its receipt is written when it is checked
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
from training.fp8 import calibration, check, environment, gpt2, quality, readback, repair, source_model
from training.fp8.expand import expand_kv_heads

RECEIPT = "checkpoint.receipt.json"
CHECKED = "checked.json"


def run(config: Config, console: Console) -> None:
    """Make and check every checkpoint of `fp8.models` that is not there yet, then compare. Raises QuerygistError."""
    chosen = settings.load()
    for name in config.fp8.models:
        _checkpoint(name, config, chosen, console)
    if config.fp8.quality_rows and "student" in config.fp8.models:
        quality.run(config, chosen, config.fp8.folder / "student" / "trtllm", console)


def _checkpoint(name: str, config: Config, chosen: Settings, console: Console) -> None:
    manifest = Manifest.load(chosen.weights_dir)
    folder = config.fp8.folder / name
    sequences = _sequences(name, config, chosen, manifest)
    made_from = {
        "model": _model_hash(name, config, manifest),
        "calibration": fingerprint.sha256_of_text(json.dumps(sequences)),
        "code": fingerprint.sha256_of_text("".join(map(sha256_of, _code()))),
    }
    if fingerprint.matches(folder / "trtllm" / RECEIPT, made_from):
        console.print(f"quantize: {name} is done already, {folder / 'trtllm'}")
        return
    environment.interpreter(config.fp8.venv)  # before minutes are spent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print(f"quantize: {name}, {len(sequences)} prompts to calibrate on")
    source_model.write(_model(name, config, chosen), folder / "source")
    if name == "student":
        shutil.copyfile(chosen.weights_dir / manifest.tokenizer.file, folder / "source" / "tokenizer.json")
    _write(folder / "calibration.json", sequences)
    _write(folder / "probes.json", [sequences[0], sequences[-1]])
    environment.quantize(config.fp8.venv, folder)
    _check(name, folder, sequences, console)
    if name == "student":  # the other is nobody's, and never becomes an engine
        sign(folder / "source", replace(manifest.identity("fp32"), precision="fp16"))
        sign(folder / "trtllm", replace(manifest.identity("fp32"), precision="fp8"))
    outputs = [folder / "trtllm" / file for file in (readback.CONFIG, readback.WEIGHTS)]
    fingerprint.write(folder / "trtllm" / RECEIPT, made_from, outputs)


def _check(name: str, folder: Path, sequences: Sequence[Sequence[int]], console: Console) -> None:
    config = source_model.read_config(folder / "source")
    mended = repair.repair(folder / "trtllm", config)
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


def _sequences(name: str, config: Config, chosen: Settings, manifest: Manifest) -> list[list[int]]:
    if name == "gpt2":
        return gpt2.random_prompts(config.seed, count=min(8, config.fp8.calibration_rows))
    tokenizer = Tokenizer(chosen.weights_dir / manifest.tokenizer.file)
    return calibration.sequences(config, tokenizer, manifest.identity(chosen.precision))


def _model(name: str, config: Config, chosen: Settings) -> Any:
    return gpt2.random_gpt2(config.seed) if name == "gpt2" else expand_kv_heads(source_model.shipped_student(chosen))


def _model_hash(name: str, config: Config, manifest: Manifest) -> str:
    return f"seed {config.seed}" if name == "gpt2" else str(manifest.identity("fp32"))


def _code() -> list[Path]:
    """What a checkpoint depends on: everything beside `gpt2`, the requirements too, but not how it is compared."""
    files = sorted(Path(gpt2.__file__).parent.glob("*.*"))
    return [file for file in files if not file.name.startswith("quality")]


def _write(path: Path, content: Any) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=None if isinstance(content, list) else 2) + "\n", "utf-8")
