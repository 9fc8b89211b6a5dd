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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import grpc
from tritonclient.grpc.service_pb2 import (
    ModelInferResponse,
    ModelStreamInferResponse,
)
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server


class Scripted(GRPCInferenceServiceServicer):
    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.canaries = itertools.count()

    def ModelStreamInfer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        next(requests)
        if self.mode == "broken":
            context.abort(grpc.StatusCode.INTERNAL, "Stub process 'tensorrt_llm_0_0' is not healthy.")
        number = next(self.canaries)
        if self.mode == "died" and number > 1:
            context.abort(grpc.StatusCode.INTERNAL, "Stub process 'tensorrt_llm_0_0' is not healthy.")
        if number > 0:
            if "full" in self.mode:
                context.abort(grpc.StatusCode.UNAVAILABLE, "[request id: x] Exceeds maximum queue size")
            over = threading.Event()
            context.add_callback(over.set)
            over.wait()
        answer = ModelInferResponse(model_name="tensorrt_llm")
        answer.parameters["triton_final_response"].bool_param = self.mode != "early"
        yield ModelStreamInferResponse(infer_response=answer)


class Metrics(BaseHTTPRequestHandler):
    """Triton's metrics page: the tokens made so far, more at each look where others are busy."""

    busy: ClassVar[bool]
    made = itertools.count()

    def do_GET(self) -> None:
        tokens = next(self.made) if self.busy else 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'querygist_batcher_generation_tokens_total{{model="tensorrt_llm"}} {tokens}\n'.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main() -> None:
    mode, flags = sys.argv[1], " ".join(sys.argv[2:])
    if mode == "exits":
        sys.exit("error: creating server: Internal - failed to load all models")
    server = grpc.server(ThreadPoolExecutor(8))
    add_GRPCInferenceServiceServicer_to_server(Scripted(mode), server)
    grpc_port, metrics_port = (re.search(rf"--{name}-port=(\d+)", flags) for name in ("grpc", "metrics"))
    assert grpc_port
    assert metrics_port
    Metrics.busy = "busy" in mode
    page = ThreadingHTTPServer(("127.0.0.1", int(metrics_port[1])), Metrics)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    server.add_insecure_port(f"127.0.0.1:{grpc_port[1]}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
