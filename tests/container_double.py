"""The GPU container's commands, by script: python -m tests.container_double COMMAND ARGUMENTS...

`installed(folder)` puts one file for each command into `folder`, for the front of PATH. The environment variable FAULTS
(names with commas between) says what goes wrong. Nothing here knows of the project but its config.pbtxt.
"""

import argparse
import hashlib
import io
import json
import os
import re
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMANDS = ("docker", "nvidia-smi", "trtllm-build", "tritonserver", "python3")
FAULTS = "CONTAINER_DOUBLE_FAULTS"

TEMPLATE_PLACE = "/app/all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt"
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
    """Python where TensorRT-LLM is installed: a line to run, or one of its scripts."""
    if words[0] == "-c":
        if not faulty("no tensorrt_llm"):
            sys.modules |= modules()
        print("[TensorRT-LLM] TensorRT-LLM version: 1.2.1")
        exec(words[1], {"open": lambda place: io.StringIO({TEMPLATE_PLACE: template()}[place])})
    elif words[0] == "/app/examples/models/core/llama/convert_checkpoint.py":
        convert(words[1:], quantized=False)
    elif words[0] == "/app/examples/quantization/quantize.py":
        convert(words[1:], quantized=True)
    else:
        raise AssertionError(words)


def modules() -> dict[str, types.ModuleType]:
    """tensorrt_llm, tensorrt and torch, as far as their versions go."""
    found = {name: types.ModuleType(name) for name in ("tensorrt_llm", "tensorrt", "torch")}
    found["tensorrt_llm"].__version__ = "1.3.0" if faulty("version") else "1.2.1"  # type: ignore[attr-defined]
    found["tensorrt"].__version__ = "10.14.1.48"  # type: ignore[attr-defined]
    found["torch"].version = types.SimpleNamespace(cuda="13.0")  # type: ignore[attr-defined]
    return found


def template() -> str:
    """The image's template: our configuration with its placeholders, as TensorRT-LLM 1.2 has them."""
    text = (ROOT / "model_repository/gpu/tensorrt_llm/config.pbtxt").read_text()
    text = text.replace('backend: "tensorrtllm"', 'backend: "${triton_backend}"')
    text = text.replace("max_batch_size: 32", "max_batch_size: ${triton_max_batch_size}")
    text = text.replace("decoupled: true", "decoupled: ${decoupled_mode}")
    text = re.sub(r'(name: "\w+_logits" data_type: )TYPE_FP32', r"\1${logits_datatype}", text)
    text = text.replace('"prompt_embedding_table" data_type: TYPE_FP16', '"prompt_embedding_table" data_type: ${prompt_embedding_table_data_type}')  # fmt: skip  # noqa: E501
    if faulty("template"):
        text = text.replace('{ name: "acceptance_rate" data_type: TYPE_FP32', '{ name: "acceptance_rate" data_type: TYPE_FP16')  # fmt: skip  # noqa: E501
    return text


def convert(words: list[str], *, quantized: bool) -> None:
    """A checkpoint of the Hugging Face folder, in FP16 or FP8."""
    parser = argparse.ArgumentParser()
    for name in ("model_dir", "output_dir", "dtype"):
        parser.add_argument(f"--{name}", required=True)
    if quantized:
        for name in ("qformat", "kv_cache_dtype", "calib_dataset", "calib_size", "calib_max_seq_length", "batch_size"):
            parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(words)
    if faulty("quantize" if quantized else "convert"):
        sys.exit("torch.cuda.OutOfMemoryError: CUDA out of memory.")
    assert given.dtype == "float16"
    if quantized:
        assert (given.qformat, given.kv_cache_dtype) == ("fp8", "fp8")
        lines = (Path(given.calib_dataset) / "train.jsonl").read_text().splitlines()
        assert all(json.loads(line)["text"] for line in lines)
    assert (Path(given.model_dir) / "config.json").is_file()
    fp8 = "FP8" if quantized else None
    checkpoint(Path(given.output_dir), {"quant_algo": fp8, "kv_cache_quant_algo": fp8})


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


def tritonserver(words: list[str]) -> None:
    if faulty("server"):
        sys.exit("error: creating server: Internal - failed to load all models")
    flags = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
    from tests.container_tritonserver import serve

    serve(Path(flags["model-repository"]), f"{flags['grpc-address']}:{flags['grpc-port']}", faulty)


if __name__ == "__main__":
    name = sys.argv[1]
    {
        "docker": docker,
        "nvidia-smi": nvidia_smi,
        "trtllm-build": trtllm_build,
        "tritonserver": tritonserver,
        "python3": python3,
    }[name](sys.argv[2:])
