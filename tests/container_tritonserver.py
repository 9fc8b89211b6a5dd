"""The container's `tritonserver`, by script: it serves the given config.pbtxt, and answers with parts of prompts."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf import text_format
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

Faulty = Callable[[str], bool]
"""Whether this is to go wrong; see tests/container_double.py."""


def serve(repository: Path, address: str, faulty: Faulty) -> None:
    """The model of this repository at `address`, until the process is ended."""
    config = text_format.Parse((repository / "tensorrt_llm/config.pbtxt").read_text(), ModelConfig())
    told = {name: value.string_value for name, value in config.parameters.items()}
    manifest = json.loads(told["querygist_engine_manifest"])
    version = Path(told["gpt_model_path"])
    assert (version / "rank0.engine").is_file(), "the engine is where its configuration says"
    if faulty("stale engine"):
        manifest["model"]["adapter_sha256"] = "f" * 64
        config.parameters["querygist_engine_manifest"].string_value = json.dumps(manifest)

    class Double(GRPCInferenceServiceServicer):
        def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
            return pb.ModelReadyResponse(ready=True)

        def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
            return pb.ModelConfigResponse(config=config)

        def ModelStreamInfer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802
            request = next(requests)
            values = {one.name: raw for one, raw in zip(request.inputs, request.raw_input_contents, strict=True)}
            integers = {name: int.from_bytes(raw[:4], "little") for name, raw in values.items()}
            try:
                answer = _answer(request.id, values, integers, manifest, faulty)
            except RuntimeError as error:
                yield pb.ModelStreamInferResponse(error_message=str(error))
                return
            response = pb.ModelInferResponse(model_name="tensorrt_llm", id=request.id)
            response.parameters["triton_final_response"].bool_param = True
            for name in (one.name for one in request.outputs):
                kind, shape, raw = answer[name]
                response.outputs.add(name=name, datatype=kind, shape=shape)
                response.raw_output_contents.append(raw)
            yield pb.ModelStreamInferResponse(infer_response=response)

    server = grpc.server(ThreadPoolExecutor(64))
    add_GRPCInferenceServiceServicer_to_server(Double(), server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def _answer(
    request: str, values: dict[str, bytes], integers: dict[str, int], manifest: dict[str, Any], faulty: Faulty
) -> dict[str, tuple[str, list[int], bytes]]:
    """Output tensors, each as (type, shape, bytes). RuntimeError is what the model says against the request."""
    asked = {"lookahead_window_size", "lookahead_ngram_size", "lookahead_verification_set_size"} & values.keys()
    if asked and manifest["lookahead"] is None:
        raise RuntimeError("Cannot set the request lookahead decoding configuration when model instance lookahead parameters are not set.")  # fmt: skip  # noqa: E501
    if faulty("smoke") and request == "accept-8":  # the ninth of a batch
        raise RuntimeError(
            "[TensorRT-LLM][ERROR] CUDA runtime error in cudaGetLastError(): invalid configuration argument"
        )
    if faulty("slow") and not values["streaming"][0]:
        time.sleep(0.08)
    if faulty("latency") and manifest["name"] == "plain-kv16":
        raise RuntimeError("[request id: x] Exceeds maximum queue size")
    prompt = np.frombuffer(values["input_ids"], dtype=np.int32)
    length = min(integers["request_output_len"], 24, len(prompt))
    ids = prompt[len(prompt) // 2 :][:length].copy()
    drafting = manifest["lookahead"] is not None and integers.get("lookahead_window_size", 4) > 1
    if faulty("equality") and drafting:
        ids[len(ids) // 2] += 1
    if faulty("rouge") and manifest["weights"] == "fp8":
        ids[:] = 260
    if faulty("empty answers"):
        ids = ids[:0]
    if faulty("strange ids"):
        ids[0] = 10**6
    now = time.time_ns()
    drafts, accepted = (39 * len(ids), len(ids)) if drafting else (0, 0)

    def integer(value: int, kind: Any = np.int32) -> tuple[str, list[int], bytes]:
        return {np.int32: "INT32", np.int64: "INT64"}[kind], [1, 1], np.asarray([value], dtype=kind).tobytes()

    return {
        "output_ids": ("INT32", [1, 1, len(ids)], ids.tobytes()),
        "sequence_length": integer(len(ids)),
        "total_draft_tokens": integer(drafts),
        "total_accepted_draft_tokens": integer(accepted),
        "acceptance_rate": ("FP32", [1, 1], np.asarray([accepted / max(1, drafts)], dtype=np.float32).tobytes()),
        "arrival_time_ns": integer(now - 9_000_000, np.int64),
        "first_scheduled_time_ns": integer(now - 8_000_000, np.int64),
        "last_token_time_ns": integer(now, np.int64),
    }
