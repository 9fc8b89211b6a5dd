"""The API suite's client: one server for each engine, kept for the whole run."""

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest

from querygist.engines.base import Identity
from querygist.engines.fake import FakeEngine
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import Live, first_sentences_of_document, live_server


@pytest.fixture(scope="session")
def fake_server(identity: Identity, tokenizer: Tokenizer) -> Generator[Live, None, None]:
    with live_server(FakeEngine(identity, first_sentences_of_document(tokenizer)), tokenizer) as live:
        yield live


REAL = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("embedded", "triton")]


@pytest.fixture(params=["fake", *REAL])
async def client(request: pytest.FixtureRequest) -> AsyncGenerator[httpx.AsyncClient, None]:
    live: Live = request.getfixturevalue(f"{request.param}_server")
    async with httpx.AsyncClient(base_url=live.url, timeout=120, headers={"X-Deadline-Ms": "60000"}) as client:
        client.engine = request.param  # type: ignore[attr-defined]
        yield client
