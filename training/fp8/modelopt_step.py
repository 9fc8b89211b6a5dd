"""The one step that needs NVIDIA ModelOpt, and so an environment of its own: training/fp8/requirements.txt.

    .venv-fp8/bin/python -m training.fp8.modelopt_step FOLDER

reads FOLDER/source (a Hugging Face folder) and FOLDER/calibration.json (lists of token ids), and writes
FOLDER/trtllm    a TensorRT-LLM checkpoint: E4M3 weights, activations and KV cache, one scale for a tensor
FOLDER/hf        the same for loaders of Hugging Face folders; Llamas only
FOLDER/reference.safetensors
                 ModelOpt's own simulation of the quantized model in float64: `ids_0`, `logits_0`, ... of the prompts in
                 FOLDER/probes.json, at their last LOGITS positions; `largest_key`, `largest_value` of each layer
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import modelopt.torch.quantization as mtq
import torch
from modelopt.torch.export import export_hf_checkpoint, export_tensorrt_llm_checkpoint
from rich.progress import track
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from training.fp8.e4m3 import LARGEST, exact_scale, rounded
from training.fp8.float64 import in_float64

LOGITS = 8

_DECODER = {"llama": "llama", "gpt2": "gpt"}
_SHARED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that an engine runs as one, and that have one scale therefore."""


def main(folder: Path) -> None:
    """Quantize, simulate, export."""
    # It warns of each KV scale of 1, which is its own choice, and of TensorRT-LLM, which is not here: `repair`.
    warnings.filterwarnings("ignore", module="modelopt")
    logging.getLogger("modelopt").setLevel(logging.ERROR)
    model = AutoModelForCausalLM.from_pretrained(folder / "source", dtype=torch.float32, attn_implementation="sdpa")
    model.eval().requires_grad_(requires_grad=False)  # type: ignore[no-untyped-call]
    _calibrate(model, _ids(folder / "calibration.json"))
    ranges = _settle(model)
    save_file(ranges | _logits(model, _ids(folder / "probes.json")), folder / "reference.safetensors")
    kind = model.config.model_type
    export_tensorrt_llm_checkpoint(
        model,
        _DECODER[kind],
        torch.float16,
        export_dir=folder / "trtllm",
        inference_tensor_parallel=1,  # the default, 0, divides by zero
        inference_pipeline_parallel=1,
    )
    if kind == "llama":  # of GPT-2, ModelOpt would write transposed weights that no loader expects
        export_hf_checkpoint(model, torch.float32, export_dir=folder / "hf")
        _in_16_bits(folder / "hf")


def _ids(path: Path) -> list[torch.Tensor]:
    return [torch.tensor([ids]) for ids in json.loads(path.read_bytes())]


def _calibrate(model: Any, prompts: list[torch.Tensor]) -> None:
    """Let every quantizer see the largest magnitude of what it will quantize."""
    recipe = deepcopy(mtq.FP8_DEFAULT_CFG)
    recipe["quant_cfg"].update(mtq.FP8_KV_CFG["quant_cfg"])

    def forward(quantized: Any) -> None:
        for ids in track(prompts, description="calibrating"):
            quantized(ids, use_cache=False, logits_to_keep=1)

    mtq.quantize(model, recipe, forward)


def _settle(model: Any) -> dict[str, torch.Tensor]:
    """Make the simulation what the checkpoint will say: shared and exact scales, and a KV scale of 1.

    ModelOpt simulates a calibrated KV scale but exports 1.0, as NVIDIA recommends for FP8. Returns the calibrated
    magnitudes of keys and values: beyond 448 they saturate.
    """
    for linears in _linears_together(model):
        inputs = max(linear.input_quantizer.amax for linear in linears)
        weights = max(linear.weight_quantizer.amax for linear in linears)
        for linear in linears:
            linear.input_quantizer.amax = (LARGEST * exact_scale(inputs)).reshape(inputs.shape)
            linear.weight_quantizer.amax = (LARGEST * exact_scale(weights)).reshape(weights.shape)
            linear.weight.copy_(rounded(linear.weight, exact_scale(weights)))
    largest: dict[str, list[torch.Tensor]] = {"largest_key": [], "largest_value": []}
    for module in model.modules():
        if hasattr(module, "k_bmm_quantizer"):
            for seen, quantizer in zip(largest.values(), (module.k_bmm_quantizer, module.v_bmm_quantizer), strict=True):
                seen.append(quantizer.amax.float().reshape(1).clone())  # it is overwritten in place
                quantizer.amax = torch.full_like(quantizer.amax, LARGEST)
    return {name: torch.cat(seen) for name, seen in largest.items()}


def _linears_together(model: Any) -> Iterator[list[Any]]:
    """All quantized linear layers, those that share a scale in one list."""
    for parent in model.modules():
        children = dict(parent.named_children())
        quantized = {name: one for name, one in children.items() if _is_quantized(one)}
        for names in _SHARED:
            if group := [quantized.pop(name) for name in names if name in quantized]:
                yield group
        yield from ([one] for one in quantized.values())


def _is_quantized(module: Any) -> bool:
    return hasattr(module, "weight_quantizer") and module.weight_quantizer.is_enabled


def _logits(model: Any, probes: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """In float64: what differs in the last bit, and there is always something, is not rounded to another FP8 number."""
    found: dict[str, torch.Tensor] = {}
    with in_float64(model):
        for number, ids in enumerate(track(probes, description="simulating")):
            logits = model(ids, use_cache=False, logits_to_keep=LOGITS).logits
            found |= {f"ids_{number}": ids[0], f"logits_{number}": logits[0, -LOGITS:].contiguous()}
    return found


def _in_16_bits(folder: Path) -> None:
    """Return what is not quantized as float16, which holds it exactly; scales stay float32."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    halved = {
        name: tensor.half() if tensor.dtype == torch.float32 and not name.endswith("_scale") else tensor
        for name, tensor in tensors.items()
    }
    save_file(halved, path, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_bytes())
    config["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with torch.inference_mode():
        main(Path(sys.argv[1]))
