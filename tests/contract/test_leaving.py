"""Who leaves frees the model behind a real Triton."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from querygist.deadline import Deadline
from querygist.engines.base import Chunk, GenerationRequest
from querygist.engines.triton.engine import TritonEngine
from querygist.errors import DeadlineExceeded, EngineUnavailable
from tests.api.test_contract import problem_of
from tests.conftest import Serve
from tests.contract.conftest import SOON, MakeEngine, MakeScripted, Scripted, until_ready
from tests.contract.gateway import PROMPT, STRICT, gateway_on, post

SLOW = {"tokens": 90, "per_pass": 1, "pass_seconds": 0.05}
"""Passes of a request that takes seconds, so that it can be left."""


@asynccontextmanager
async def started(engine: TritonEngine) -> AsyncGenerator[TritonEngine, None]:
    await engine.start()
    await until_ready(engine)
    try:
        yield engine
    finally:
        await engine.close()


def asked(engine: TritonEngine, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
    return engine.generate(GenerationRequest(PROMPT, 90, deadline, "a"))


async def until_idle(server: Scripted, cancelled: int) -> None:
    """The model has dropped `cancelled` requests and holds none."""
    await server.until(lambda now: now["active_requests"] == 0 and now.get("cancelled_total", 0) == cancelled)


async def test_a_deadline_is_a_504_and_frees_the_model(
    scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
) -> None:
    server = await scripted(**SLOW)
    async with gateway_on(serve, engine_on(server)) as client:
        problem_of(await post(client, STRICT, milliseconds=500), 504, "deadline-exceeded")
        await until_idle(server, cancelled=1)


async def test_the_engine_keeps_its_deadline_by_itself(scripted: MakeScripted, engine_on: MakeEngine) -> None:
    server = await scripted(**SLOW)
    async with started(engine_on(server)) as engine:
        with pytest.raises(DeadlineExceeded):
            async for _ in asked(engine, Deadline.after(0.5)):
                pass
        await until_idle(server, cancelled=1)


async def test_a_client_that_leaves_a_stream_frees_the_model(
    scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
) -> None:
    server = await scripted(**SLOW)
    async with gateway_on(serve, engine_on(server)) as client:
        async with client.stream("POST", "/summarize", json=STRICT | {"stream": True}) as response:
            async for _ in response.aiter_lines():
                break
        await until_idle(server, cancelled=1)


async def test_leaving_before_the_first_token_frees_the_model(
    scripted: MakeScripted, engine_on: MakeEngine, serve: Serve
) -> None:
    server = await scripted(tokens=24, pass_seconds=0.7)
    async with gateway_on(serve, engine_on(server)) as client:
        leaving = asyncio.create_task(post(client, STRICT))
        await server.until(lambda now: now.get("prompt_tokens_total", 0) > 50)
        leaving.cancel()
        await until_idle(server, cancelled=1)


async def test_closing_the_generator_frees_the_model(scripted: MakeScripted, engine_on: MakeEngine) -> None:
    server = await scripted(**SLOW)
    async with started(engine_on(server)) as engine:
        async with aclosing(asked(engine, Deadline.after(SOON))) as chunks:
            assert (await anext(chunks)).ids
            assert engine.endpoints[0].load == 1
        assert engine.endpoints[0].load == 0
        await until_idle(server, cancelled=1)


async def test_shutting_down_ends_what_is_under_way(scripted: MakeScripted, engine_on: MakeEngine) -> None:
    server = await scripted(**SLOW)
    async with started(engine_on(server)) as engine:
        chunks = asked(engine, Deadline.after(SOON))
        await anext(chunks)
    with pytest.raises(EngineUnavailable, match="shutting down"):
        async for _ in chunks:
            pass
    await until_idle(server, cancelled=1)
