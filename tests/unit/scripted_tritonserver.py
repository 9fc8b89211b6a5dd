"""What the supervisor sees of a tritonserver, by script: python scripted_tritonserver.py MODE FLAGS...

Exits at once, or answers one canary and then, as MODE says, has the next ones wait or refuses them, while others are
answered or nobody is.
"""

import itertools
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tritonclient.grpc.service_pb2 import (
    ModelInferResponse,
    ModelStatisticsResponse,
    ModelStreamInferResponse,
)
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server


class Scripted(GRPCInferenceServiceServicer):
    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.canaries = itertools.count()
        self.answered = itertools.count()

    def ModelStreamInfer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        next(requests)
        if self.mode == "broken":
            context.abort(grpc.StatusCode.INTERNAL, "Stub process 'tensorrt_llm_0_0' is not healthy.")
        if next(self.canaries) > 0:
            if "full" in self.mode:
                context.abort(grpc.StatusCode.UNAVAILABLE, "[request id: x] Exceeds maximum queue size")
            over = threading.Event()
            context.add_callback(over.set)
            over.wait()
        answer = ModelInferResponse(model_name="tensorrt_llm")
        answer.parameters["triton_final_response"].bool_param = self.mode != "early"
        yield ModelStreamInferResponse(infer_response=answer)

    def ModelStatistics(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        answer = ModelStatisticsResponse()
        count = next(self.answered) if "busy" in self.mode else 1
        answer.model_stats.add(name="tensorrt_llm").inference_stats.success.count = count
        return answer


def main() -> None:
    mode, flags = sys.argv[1], " ".join(sys.argv[2:])
    if mode == "exits":
        sys.exit("error: creating server: Internal - failed to load all models")
    server = grpc.server(ThreadPoolExecutor(8))
    add_GRPCInferenceServiceServicer_to_server(Scripted(mode), server)
    port = re.search(r"--grpc-port=(\d+)", flags)
    assert port
    server.add_insecure_port(f"127.0.0.1:{port[1]}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
