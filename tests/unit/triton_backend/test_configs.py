"""The production configuration of Triton, and the CPU model's beside it."""

import dataclasses
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.engines.base import Identity
from querygist.engines.lookahead import Lookahead
from querygist.engines.triton.protocol import LOOKAHEAD, MODEL
from querygist.triton_backend.inputs import MAX_SEQ_LEN
from querygist.triton_server.repository import CPU_MODEL, load_config, lookahead
from tests.conftest import REPOSITORY

GPU, CPU = (load_config(REPOSITORY / "model_repository" / kind / "tensorrt_llm") for kind in ("gpu", "cpu"))

DIFFERENT_SETTINGS = {
    "backend": "the C++ backend of TensorRT-LLM here, Python there",
    "dynamicBatching.preferredBatchSize": "in TensorRT-LLM's template; the CPU model has no dynamic batching",
    "dynamicBatching.defaultQueuePolicy.maxQueueSize": "likewise; TensorRT-LLM's executor reads it for its own queue",
}

GPU_ONLY = {
    "querygist_identity": "`querygist triton` gives the CPU model its own when it starts the server",
    "gpt_model_type": "read by the C++ backend",
    "gpt_model_path": "the TensorRT engine; the CPU model is told its own by querygist_engine",
    "batch_scheduler_policy": "the executor's; OpenVINO's scheduler has no such choice",
    "kv_cache_free_gpu_mem_fraction": "of GPU memory; the CPU model takes QUERYGIST_KV_CACHE_GB",
    "enable_kv_cache_reuse": "off: wrong with FP8 keys and values",
    "enable_chunked_context": "the executor's; the CPU model takes QUERYGIST_PASS_TOKENS",
    "stats_check_period_ms": "of nv_trt_llm_* metrics; the CPU model has its own",
    "iter_stats_max_iterations": "likewise",
    "request_stats_max_iterations": "likewise",
    "normalize_log_probs": "the CPU model returns none",
    "FORCE_CPU_ONLY_INPUT_TENSORS": "for the Python backend it is a setting of another meaning",
    "executor_worker_path": "of multi-process GPU engines",
    "tokenizer_dir": "read by the C++ backend without a default",
    "guided_decoding_backend": "likewise",
    "xgrammar_tokenizer_info_path": "likewise",
}


def tensors(config: ModelConfig) -> dict[tuple[str, str], dict[str, Any]]:
    """Every tensor's type, dimensions, reshape, and whether it is optional or ragged."""
    return {
        (kind, one.name): MessageToDict(one)
        for kind, many in (("input", config.input), ("output", config.output))
        for one in many
    }


def settings(config: ModelConfig) -> dict[str, Any]:
    """All but tensors and parameters, flat: `a.b` to its value."""

    def flat(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in values.items():
            found |= flat(f"{prefix}{name}.", value) if isinstance(value, dict) else {prefix + name: value}
        return found

    whole = MessageToDict(config)
    return flat("", {name: value for name, value in whole.items() if name not in {"input", "output", "parameters"}})


def parameters(config: ModelConfig) -> dict[str, str]:
    return {name: value.string_value for name, value in config.parameters.items()}


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_there_is_a_version_to_load(kind: str) -> None:
    """Triton's core wants a numeric folder, also where the model itself lies elsewhere."""
    assert (REPOSITORY / "model_repository" / kind / "tensorrt_llm" / "1").is_dir()


def test_the_tensors_are_the_same() -> None:
    assert tensors(CPU) == tensors(GPU)
    assert len(tensors(GPU)) == len(GPU.input) + len(GPU.output), "no name twice"


def test_all_other_differences_have_a_reason() -> None:
    gpu, cpu = settings(GPU), settings(CPU)
    differing = {name for name in gpu.keys() | cpu.keys() if gpu.get(name) != cpu.get(name)}
    assert differing == set(DIFFERENT_SETTINGS)
    gpu, cpu = parameters(GPU), parameters(CPU)
    assert gpu.keys() - cpu.keys() == set(GPU_ONLY)
    assert cpu.items() <= gpu.items()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gpt_model_type", "inflight_fused_batching"),
        ("batch_scheduler_policy", "guaranteed_no_evict"),
        ("decoding_mode", "lookahead"),
        ("lookahead_window_size", "4"),
        ("lookahead_ngram_size", "6"),
        ("lookahead_verification_set_size", "4"),
        ("max_beam_width", "1"),
        ("kv_cache_free_gpu_mem_fraction", "0.8"),
        ("enable_kv_cache_reuse", "false"),
        ("enable_chunked_context", "false"),
        ("exclude_input_in_output", "true"),
        # TensorRT-LLM's C++ backend reads these without a default: without them the model does not load.
        ("tokenizer_dir", ""),
        ("guided_decoding_backend", ""),
        ("xgrammar_tokenizer_info_path", ""),
    ],
)
def test_parameters_of_the_gpu_are_those_that_were_decided(name: str, value: str) -> None:
    assert parameters(GPU)[name] == value


def test_the_gpu_serves_the_model_of_the_manifest(identity: Identity) -> None:
    expected = dataclasses.asdict(dataclasses.replace(identity, precision="fp8"))
    told = json.loads(parameters(GPU)["querygist_identity"])
    assert told == expected, f"put this into the configuration: {json.dumps(json.dumps(expected))}"
    assert lookahead(GPU) == (4, 6, 4)


def test_settings_of_the_gpu_are_those_that_were_decided() -> None:
    assert (GPU.name, GPU.backend, GPU.max_batch_size) == (MODEL, "tensorrtllm", 32)
    assert GPU.model_transaction_policy.decoupled, "without it nothing is streamed"
    assert GPU.dynamic_batching.max_queue_delay_microseconds == 0
    assert GPU.dynamic_batching.default_queue_policy.max_queue_size == 256


@pytest.mark.parametrize(
    ("kind", "name", "data_type"),
    [
        ("input", "encoder_input_features", "TYPE_FP16"),
        ("input", "prompt_embedding_table", "TYPE_FP16"),
        ("output", "context_logits", "TYPE_FP32"),
        ("output", "generation_logits", "TYPE_FP32"),
    ],
)
def test_types_that_the_template_leaves_open_are_filled(kind: str, name: str, data_type: str) -> None:
    assert tensors(GPU)[kind, name]["dataType"] == data_type


def test_only_lengths_are_required() -> None:
    required = {one.name for one in GPU.input if not one.optional}
    assert required == {"input_lengths", "request_output_len"}


def test_the_server_has_room_for_prompt_output_and_drafts(identity: Identity) -> None:
    drafts = Lookahead(*lookahead(GPU)).max_draft_len
    assert drafts == 39
    assert identity.prompt_limit + identity.output_limit + drafts <= MAX_SEQ_LEN


def test_the_gateway_speaks_of_inputs_there_are() -> None:
    assert set(LOOKAHEAD) <= {one.name for one in GPU.input}
    assert set(LOOKAHEAD) <= set(parameters(GPU)), "what the gateway reads a server's lookahead from"
    assert CPU_MODEL.name == CPU.name == MODEL
