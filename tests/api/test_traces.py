"""Spans of the real app on a real server, in the SDK's memory."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc
import httpx
import numpy as np
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode
from tritonclient.grpc import service_pb2, service_pb2_grpc

from querygist.api.app import create_app
from querygist.api.server import Server
from querygist.engines.base import Engine, Identity
from querygist.engines.fake import FakeEngine
from querygist.engines.triton.engine import TritonEngine
from querygist.prompting.tokenizer import Tokenizer
from querygist.settings import load
from tests.api.test_contract import BODY, DOCUMENT, QUERY, events_of
from tests.api.test_failures import held
from tests.conftest import until_ready, url_of
from tests.unit.engines.triton.test_endpoint import Server as TritonDouble
from tests.unit.engines.triton.test_endpoint import _response

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}


class Recorded:
    """Finished spans by name, with their parents."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.memory.get_finished_spans() if span.name == name]

    def one(self, name: str) -> Any:
        (span,) = self.named(name)
        return span

    async def until(self, name: str, count: int = 1) -> list[Any]:
        """The request's span ends after its last byte has been read."""
        async with asyncio.timeout(30):
            while len(found := self.named(name)) < count:
                await asyncio.sleep(0.005)
        return found


@contextlib.asynccontextmanager
async def traced(
    engine: Engine, tokenizer: Tokenizer, **provider: Any
) -> AsyncGenerator[tuple[httpx.AsyncClient, Recorded]]:
    recorded = Recorded()
    tracing = TracerProvider(**provider)
    tracing.add_span_processor(SimpleSpanProcessor(recorded.memory))
    server = Server(create_app(load(port=0), engine, tokenizer, traces=tracing))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    async with httpx.AsyncClient(base_url=url_of(server), timeout=30) as client:
        try:
            yield client, recorded
        finally:
            server.should_exit = True
            await task


def child_of(span: Any, parent: Any) -> bool:
    return bool(span.parent and span.parent.span_id == parent.context.span_id)


async def test_a_request_span_is_its_callers_child_and_parent_of_steps(
    fake: FakeEngine, tokenizer: Tokenizer, logged: io.StringIO
) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        await client.post("/summarize", json=BODY, headers=HEADERS)
        (request,) = await recorded.until("POST")
        assert f"{request.parent.span_id:016x}" == CALLER
        summarize, generate = recorded.one("summarize"), recorded.one("generate")
        assert child_of(summarize, request)
        assert child_of(recorded.one("queue"), summarize)
        assert child_of(generate, summarize)
        prefill = recorded.one("prefill")
        assert child_of(prefill, generate)
        assert prefill.start_time == generate.start_time
        assert generate.start_time <= prefill.end_time <= generate.end_time
        assert recorded.one("queue").end_time <= generate.start_time
        spans = recorded.memory.get_finished_spans()
        assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
        assert request.attributes["http.route"] == "/summarize"
        assert request.attributes["http.response.status_code"] == 200
        assert dict(summarize.attributes) == {
            "querygist.outcome": "ok",
            "querygist.method": "generative",
            "querygist.cached": False,
        }
        assert generate.attributes["querygist.completion_tokens"] > 0
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["trace_id"] for line in lines if line["event"] == "request"] == [TRACE]


async def test_without_a_caller_the_trace_begins_here_and_is_logged(
    fake: FakeEngine, tokenizer: Tokenizer, logged: io.StringIO
) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        await client.post("/summarize", json=BODY)
        (request,) = await recorded.until("POST")
        assert request.parent is None
    assert f'"trace_id": "{request.context.trace_id:032x}"' in logged.getvalue()


async def test_steps_of_a_stream_in_several_tasks_have_one_parent(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        await events_of(client, BODY, headers=HEADERS)
        (request,) = await recorded.until("POST")
        assert child_of(recorded.one("summarize"), request)
        assert child_of(recorded.one("generate"), recorded.one("summarize"))
        assert request.end_time >= recorded.one("summarize").end_time


async def test_each_document_of_a_page_is_a_child_of_the_request(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    documents = [{"id": str(number), "document": f"{DOCUMENT} Page {number}."} for number in range(3)]
    async with traced(fake, tokenizer) as (client, recorded):
        await client.post("/summarize/batch", json={"query": QUERY, "documents": documents}, headers=HEADERS)
        (request,) = await recorded.until("POST")
        children = recorded.named("summarize")
        assert len(children) == 3
        assert all(child_of(child, request) for child in children)
        parents = {span.parent.span_id for span in recorded.named("generate")}
        assert parents == {child.context.span_id for child in children}


async def test_a_hit_has_no_generation(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        for _ in range(2):
            await client.post("/summarize", json=BODY)
        await recorded.until("POST", 2)
        assert [span.attributes["querygist.cached"] for span in recorded.named("summarize")] == [False, True]
        assert len(recorded.named("generate")) == 1


async def test_a_failure_is_told_by_its_type_and_never_by_its_words(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    fake.failing = True
    async with traced(fake, tokenizer) as (client, recorded):
        response = await client.post("/summarize", json=BODY | {"fallback": "none"})
        assert response.status_code == 503
        await recorded.until("POST")
        for name in ("generate", "summarize"):
            span = recorded.one(name)
            assert span.attributes["error.type"] == "EngineUnavailable"
            assert span.status.status_code is StatusCode.ERROR
        assert recorded.one("summarize").attributes["querygist.outcome"] == "engine-unavailable"


async def test_a_client_that_leaves_is_no_error(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(held(fake), tokenizer) as (client, recorded):
        asking = asyncio.create_task(client.post("/summarize", json=BODY))
        await fake.until(lambda engine: bool(engine.running))
        asking.cancel()
        (span,) = await recorded.until("generate")
        assert span.attributes["querygist.cancelled"] is True
        assert span.status.status_code is StatusCode.UNSET


async def test_no_span_holds_what_query_or_document_say(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        await client.post("/summarize", json=BODY, headers=HEADERS)
        await client.post("/summarize", json={"query": QUERY, "document": DOCUMENT, "max_words": "many"})
        await client.post(f"/{QUERY}")
        await recorded.until("POST", 3)
        told = " ".join(span.to_json() for span in recorded.memory.get_finished_spans()).lower()
        words = {word.strip(".,").lower() for word in f"{QUERY} {DOCUMENT}".split() if len(word) > 6}
        assert not {word for word in words if word in told}


async def test_probes_are_not_traced(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(fake, tokenizer) as (client, recorded):
        for path in ("/livez", "/readyz", "/metrics"):
            await client.get(path)
        await client.post("/summarize", json=BODY)
        await recorded.until("POST")
        assert not recorded.named("GET")


async def test_what_the_sampler_leaves_out_is_served_as_ever(fake: FakeEngine, tokenizer: Tokenizer) -> None:
    async with traced(fake, tokenizer, sampler=ALWAYS_OFF) as (client, recorded):
        assert (await client.post("/summarize", json=BODY)).json()["method"] == "generative"
        assert recorded.memory.get_finished_spans() == ()


class Triton(TritonDouble):
    """Answers everything with `ids`, and keeps the metadata of what was no canary."""

    def __init__(self, identity: Identity, ids: list[int]) -> None:
        super().__init__(identity, None)
        self._ids = ids
        self.metadata: list[dict[str, str]] = []

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[service_pb2.ModelInferRequest], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[service_pb2.ModelStreamInferResponse]:
        request = await anext(aiter(requests))
        response = _response(final=True)
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        if len(request.raw_input_contents[0]) == 4:  # one token: the canary
            assert "traceparent" not in metadata
        else:
            self.metadata.append(metadata)
            answer = response.infer_response
            answer.outputs.add(name="output_ids", datatype="INT32", shape=[1, 1, len(self._ids)])
            answer.raw_output_contents.append(np.asarray(self._ids, dtype=np.int32).tobytes())
        yield response


@contextlib.asynccontextmanager
async def triton(identity: Identity, tokenizer: Tokenizer) -> AsyncGenerator[tuple[Triton, TritonEngine]]:
    copied = "It was discovered in 1928 by the Scottish scientist Alexander Fleming, who noticed that a mould had"
    servicer, server = Triton(identity, list(tokenizer.encode(copied))), grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield servicer, TritonEngine(identity, [f"localhost:{port}"], plain=False, stall_seconds=60)
    finally:
        await server.stop(None)


async def test_triton_is_told_of_the_generation(identity: Identity, tokenizer: Tokenizer) -> None:
    async with triton(identity, tokenizer) as (double, engine), traced(engine, tokenizer) as (client, recorded):
        await until_ready(str(client.base_url))
        response = await client.post("/summarize", json=BODY, headers=HEADERS)
        assert response.json()["method"] == "generative"
        await recorded.until("POST")
        span = recorded.one("generate").context
        (metadata,) = double.metadata
        assert metadata["traceparent"] == f"00-{TRACE}-{span.span_id:016x}-01"
        assert metadata["tracestate"] == "vendor=1"


async def test_without_traces_triton_is_told_nothing(identity: Identity, tokenizer: Tokenizer, serve: Any) -> None:
    async with triton(identity, tokenizer) as (double, engine), serve(engine) as client:
        await until_ready(str(client.base_url))
        await client.post("/summarize", json=BODY, headers=HEADERS)
        assert [metadata.keys() & {"traceparent", "tracestate"} for metadata in double.metadata] == [set()]
