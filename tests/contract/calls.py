"""Requests to the `tensorrt_llm` model by gRPC alone, without a line of the gateway's."""

import contextlib
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferResult, service_pb2, service_pb2_grpc
from tritonclient.grpc.model_config_pb2 import DataType
from tritonclient.utils import triton_to_np_dtype

from querygist.triton_server.repository import CPU_MODEL, load_config

DECLARED = {one.name: one for one in load_config(CPU_MODEL).input}

USUAL = ("output_ids", "sequence_length")


class Refused(Exception):
    """What Triton or the model says against a request; on a stream it comes in words, without a gRPC status."""


@dataclass(frozen=True)
class Response:
    """One response of a stream."""

    message: service_pb2.ModelInferResponse

    @property
    def ids(self) -> list[int]:
        ids = InferResult(self.message).as_numpy("output_ids")
        assert ids is not None, "an empty final response"
        assert ids.shape[:2] == (1, 1), "batch, beams"
        assert self.number("sequence_length") == ids.shape[2]
        flat: list[int] = ids.reshape(-1).tolist()
        return flat

    @property
    def final(self) -> bool:
        return bool(self.message.parameters["triton_final_response"].bool_param)

    @property
    def names(self) -> set[str]:
        return {output.name for output in self.message.outputs}

    def number(self, name: str) -> Any:
        return InferResult(self.message).as_numpy(name).item()


def request(
    ids: Sequence[int] | NDArray[Any] | None,
    *,
    request_id: str = "",
    outputs: Sequence[str] = USUAL,
    model: str = "tensorrt_llm",
    **inputs: Any,
) -> service_pb2.ModelInferRequest:
    """A prompt and the wish for 8 new tokens, `inputs` on top; one that is None is left out.

    A scalar or a list is one row; an array has its batch dimension.
    """
    lengths = {} if ids is None else {"input_lengths": len(ids)}
    whole = {"input_ids": ids, "request_output_len": 8} | lengths | inputs
    message = service_pb2.ModelInferRequest(model_name=model, id=request_id)
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    for name in outputs:
        message.outputs.add(name=name)
    for name, value in whole.items():
        if value is not None:
            _add(message, name, value)
    return message


def _add(message: service_pb2.ModelInferRequest, name: str, value: Any) -> None:
    kind = DataType.Name(DECLARED[name].data_type).removeprefix("TYPE_").replace("STRING", "BYTES")
    if kind == "BYTES":
        message.inputs.add(name=name, datatype=kind, shape=[1, 1])
        message.raw_input_contents.append(struct.pack("<I", len(value)) + value.encode())
        return
    values = np.asarray(value, dtype=triton_to_np_dtype(kind))
    if not isinstance(value, np.ndarray):
        values = values.reshape(1, -1)
    message.inputs.add(name=name, datatype=kind, shape=list(values.shape))
    message.raw_input_contents.append(values.tobytes())


class Raw:
    """A connection to one server."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

    def stream(self, message: service_pb2.ModelInferRequest, *, seconds: float = 60) -> Any:
        """The call, which can be cancelled; see `responses`."""
        return self.stub.ModelStreamInfer([message], timeout=seconds)

    async def ask(self, ids: Sequence[int] | NDArray[Any] | None, **options: Any) -> list[Response]:
        """Every response to one `request`. Raises Refused and grpc.aio.AioRpcError."""
        found = [one async for one in responses(self.stream(request(ids, **options)))]
        assert [one.final for one in found] == [False] * (len(found) - 1) + [True]
        return found


async def responses(call: Any) -> AsyncGenerator[Response, None]:
    async for message in call:
        if message.error_message:
            raise Refused(message.error_message)
        yield Response(message.infer_response)


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncGenerator[Raw, None]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield Raw(channel)
