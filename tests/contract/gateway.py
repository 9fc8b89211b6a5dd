"""A gateway in front of scripted servers, and what is asked of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from querygist.engines.triton.engine import TritonEngine
from tests.api.test_contract import BODY
from tests.conftest import Serve
from tests.contract.conftest import SOON, until_ready

STRICT = BODY | {"fallback": "none"}
PROMPT = list(range(100, 200))


def questions(count: int) -> list[dict[str, Any]]:
    return [STRICT | {"query": f"who discovered penicillin, question {number}"} for number in range(count)]


async def post(client: httpx.AsyncClient, body: dict[str, Any], milliseconds: int = 60_000) -> httpx.Response:
    return await client.post("/summarize", json=body, headers={"X-Deadline-Ms": f"{milliseconds}"})


@asynccontextmanager
async def gateway_on(serve: Serve, engine: TritonEngine, **settings: Any) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A gateway that is ready; nothing in the block may take long."""
    async with asyncio.timeout(2 * SOON), serve(engine, **settings) as client:
        await until_ready(client)
        yield client
