"""One Triton server that ends streams in ways a real one seldom does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest, Identity
from querygist.engines.triton.endpoint import Endpoint
from querygist.errors import EngineUnavailable
from querygist.triton_server.repository import CPU_MODEL, load_config

PROMPT = [5, 6, 7]


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Canaries are answered. Other requests end with `status`, or without the final response when it is OK; None: they
    get no answer.
    """

    def __init__(self, identity: Identity, status: grpc.StatusCode | None) -> None:
        self._config = load_config(CPU_MODEL)
        self._config.parameters["querygist_identity"].string_value = json.dumps(asdict(identity))
        self._status = status
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    async def ModelConfig(self, _request: Any, _context: Any) -> service_pb2.ModelConfigResponse:  # noqa: N802
        return service_pb2.ModelConfigResponse(config=self._config)

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[service_pb2.ModelInferRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[service_pb2.ModelStreamInferResponse]:
        request = await anext(aiter(requests))
        if len(request.raw_input_contents[0]) == 4:  # one token: the canary
            yield _response(final=True)
            return
        self.begun.set()
        if self._status is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if self._status is not grpc.StatusCode.OK:
            await context.abort(self._status)
        yield _response(final=False)


def _response(*, final: bool) -> service_pb2.ModelStreamInferResponse:
    response = service_pb2.ModelInferResponse(model_name="tensorrt_llm")
    response.parameters["triton_final_response"].bool_param = final
    return service_pb2.ModelStreamInferResponse(infer_response=response)


@contextlib.asynccontextmanager
async def endpoint_of(identity: Identity, status: grpc.StatusCode | None) -> AsyncGenerator[tuple[Endpoint, Server]]:
    """An endpoint that is well, and its server."""
    servicer, server = Server(identity, status), grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    endpoint = Endpoint(f"127.0.0.1:{port}", identity, plain=False, stall_seconds=60)
    endpoint.start()
    try:
        async with asyncio.timeout(30):
            while endpoint.last_error is not None:
                await asyncio.sleep(0.01)
            yield endpoint, servicer
    finally:
        await endpoint.close()
        await server.stop(None)


def ask(endpoint: Endpoint) -> AsyncGenerator[Chunk, None]:
    return endpoint.generate(GenerationRequest(PROMPT, 9, Deadline.after(60), "a"))


@pytest.mark.parametrize(
    ("status", "told"),
    [(grpc.StatusCode.OK, "ended the stream early"), (grpc.StatusCode.CANCELLED, r"could not run .* \(CANCELLED\)")],
)
async def test_a_stream_ended_early_is_an_error_of_its_request(
    identity: Identity, status: grpc.StatusCode, told: str
) -> None:
    async with endpoint_of(identity, status) as (endpoint, _):
        with pytest.raises(EngineUnavailable, match=told):
            async for _ in ask(endpoint):
                pass
        assert endpoint.load == 0
        assert endpoint.last_error is None


async def test_a_cancelled_task_stays_so_when_its_endpoint_fails(identity: Identity) -> None:
    """With the endpoint's error in its place the request would go on, at another server, for nobody."""
    async with endpoint_of(identity, None) as (endpoint, server):
        task = asyncio.ensure_future(anext(ask(endpoint)))
        await server.begun.wait()
        task.cancel()
        endpoint._set_aside(EngineUnavailable("It died."))
        endpoint._give_up()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.left.wait()
        assert endpoint.load == 0


async def test_what_a_failed_endpoint_held_ends_with_its_reason(identity: Identity) -> None:
    async with endpoint_of(identity, None) as (endpoint, server):
        task = asyncio.ensure_future(anext(ask(endpoint)))
        await server.begun.wait()
        endpoint._set_aside(EngineUnavailable("It died."))
        endpoint._give_up()
        with pytest.raises(EngineUnavailable, match="It died"):
            await task
        await server.left.wait()
        assert endpoint.load == 0


async def test_each_refused_request_gets_an_exception_of_its_own(identity: Identity) -> None:
    """One that is raised again and again keeps the frames of all of them, documents included."""
    async with endpoint_of(identity, None) as (endpoint, _):
        endpoint._set_aside(EngineUnavailable("It died.", retry_after=7))
        refused = []
        for _ in range(2):
            with pytest.raises(EngineUnavailable, match="It died") as told:
                await anext(ask(endpoint))
            refused.append(told.value)
        assert refused[0] is not refused[1]
        assert [one.retry_after for one in refused] == [7, 7]
        assert endpoint.load == 0
