"""The GPU container's commands, by script: python -m tests.container_double COMMAND ARGUMENTS...

`installed(folder)` puts one file for each command into `folder`, for the front of PATH. The environment variable FAULTS
(names with commas between) says what goes wrong. Nothing here knows of the project.
"""

import argparse
import hashlib
import json
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMANDS = ("docker", "nvidia-smi", "trtllm-build", "python3")
FAULTS = "CONTAINER_DOUBLE_FAULTS"

GPU = "NVIDIA L20, 8.9, 580.82.07, 49140"
ROOT = Path(__file__).parent.parent


def installed(folder: Path) -> Path:
    """Write the commands into `folder`; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        command = folder / name
        command.write_text(
            f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.container_double {name} "$@"\n'
        )
        command.chmod(0o755)
    return folder


def faulty(name: str) -> bool:
    return name in os.environ.get(FAULTS, "").split(",")


def docker(words: list[str]) -> None:
    """`docker run OPTIONS IMAGE COMMAND...` runs the command here, after the image's banner."""
    if faulty("docker"):
        sys.exit("docker: Error response from daemon: could not select device driver with capabilities: [[gpu]]")
    assert words[:2] == ["run", "--rm"], words
    image = next(number for number, word in enumerate(words) if word.startswith("nvcr.io/"))
    assert words[image] == "nvcr.io/nvidia/tritonserver:26.04-trtllm-python-py3"
    options = words[2:image]
    assert options[options.index("--gpus") + 1] == "device=0"
    assert options[options.index("--network") + 1] == "host"
    for number, option in enumerate(options):
        if option == "--volume":
            outside, inside = options[number + 1].split(":")
            assert outside == inside, "one path for both"
            assert Path(outside).is_dir(), outside
    print("=============================\n== Triton Inference Server ==\n", flush=True)
    command = words[image + 1 :]
    os.execvp(command[0], command)


def nvidia_smi(words: list[str]) -> None:
    assert "--format=csv,noheader,nounits" in words
    assert "--query-gpu=name,compute_cap,driver_version,memory.total" in words
    print(GPU.replace("8.9", "8.0") if faulty("old gpu") else GPU)


def python3(words: list[str]) -> None:
    """Python where TensorRT-LLM is installed."""
    assert words[0] == "-c"
    if not faulty("no tensorrt_llm"):
        sys.modules |= modules()
    print("[TensorRT-LLM] TensorRT-LLM version: 1.2.1")
    exec(words[1])


def modules() -> dict[str, types.ModuleType]:
    """tensorrt_llm, tensorrt and torch, as far as their versions go."""
    found = {name: types.ModuleType(name) for name in ("tensorrt_llm", "tensorrt", "torch")}
    found["tensorrt_llm"].__version__ = "1.3.0" if faulty("version") else "1.2.1"  # type: ignore[attr-defined]
    found["tensorrt"].__version__ = "10.14.1.48"  # type: ignore[attr-defined]
    found["torch"].version = types.SimpleNamespace(cuda="13.0")  # type: ignore[attr-defined]
    return found


def checkpoint(folder: Path, quantized: Mapping[str, str | None], **other: Any) -> Path:
    """A TensorRT-LLM checkpoint of the student's shape, its weights nearly left out; `other` is in config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architecture": "LlamaForCausalLM", "dtype": "float16", "num_attention_heads": 9, "num_key_value_heads": 9,
        "max_position_embeddings": 2048, "vocab_size": 49152, "mapping": {"world_size": 1, "tp_size": 1, "pp_size": 1},
        "quantization": dict(quantized),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config | other))
    tensors = {"transformer.ln_f.weight": bytes(range(8))}
    if quantized["quant_algo"]:
        tensors["transformer.layers.0.attention.dense.weight"] = bytes(range(16))
    if quantized["kv_cache_quant_algo"]:
        for name in ("kv", "k", "v"):
            tensors[f"transformer.layers.0.attention.{name}_cache_scaling_factor"] = b"\x00\x00\x80\x3f"
    kinds = {4: "F32", 8: "F16", 16: "F8_E4M3"}
    header, data = {}, b""
    for name, raw in tensors.items():
        size = {"F32": 4, "F16": 2, "F8_E4M3": 1}[kinds[len(raw)]]
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kinds[len(raw)], "shape": [len(raw) // size], "data_offsets": offsets}
        data += raw
    text = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    (folder / "rank0.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return folder


def trtllm_build(words: list[str]) -> None:
    """The options that are used, as `trtllm-build` 1.2.1 has them; a name or a choice it has not ends it."""
    parser = argparse.ArgumentParser("trtllm-build", allow_abbrev=False)
    for name in ("checkpoint_dir", "output_dir"):
        parser.add_argument(f"--{name}")
    numbers = ("max_batch_size", "max_beam_width", "max_input_len", "max_seq_len", "max_num_tokens", "max_draft_len")
    for name in numbers:
        parser.add_argument(f"--{name}", type=int, default=0)
    modes = ["draft_tokens_external", "lookahead_decoding", "medusa", "explicit_draft_tokens", "eagle"]
    parser.add_argument("--speculative_decoding_mode", choices=modes)
    parser.add_argument(
        "--gpt_attention_plugin", choices=["auto", "float16", "float32", "bfloat16", "int32", "disable"]
    )
    parser.add_argument("--kv_cache_type", choices=["continuous", "paged", "disabled"])
    for name in ("remove_input_padding", "use_paged_context_fmha", "use_fp8_context_fmha", "multiple_profiles"):
        parser.add_argument(f"--{name}", choices=["enable", "disable"])
    given = parser.parse_args(words)
    if faulty("build"):
        sys.exit("[TensorRT-LLM][ERROR] Assertion failed: Engine building failed, please check error log.")
    out = Path(given.output_dir)
    pretrained = json.loads((Path(given.checkpoint_dir) / "config.json").read_text())
    weights = (Path(given.checkpoint_dir) / "rank0.safetensors").read_bytes()
    limits = {name: getattr(given, name) for name in numbers}
    if faulty("limits"):
        limits["max_num_tokens"] //= 2
    if faulty("empty build"):
        return
    told = {"version": "1.2.1", "pretrained_config": pretrained, "build_config": limits}
    (out / "config.json").write_text(json.dumps(told))
    (out / "rank0.engine").write_bytes(hashlib.sha256(weights + " ".join(words).encode()).digest())


if __name__ == "__main__":
    commands = {"docker": docker, "nvidia-smi": nvidia_smi, "trtllm-build": trtllm_build, "python3": python3}
    commands[sys.argv[1]](sys.argv[2:])
