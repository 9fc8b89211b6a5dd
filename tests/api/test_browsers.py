"""HEAD, other origins and a path prefix: what probes, browsers and proxies need."""

from collections.abc import AsyncIterator

import httpx
import pytest

from querygist.engines.fake import FakeEngine
from tests.api.test_contract import BODY
from tests.conftest import Serve


@pytest.fixture
async def client(fake: FakeEngine, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(fake) as client:
        yield client


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/", "/docs", "/metrics", "/openapi.json"])
async def test_head_is_a_get_without_its_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_head_of_what_takes_posts_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.head("/summarize")).status_code == 405


ORIGIN = {"Origin": "https://search.example"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-deadline-ms"}


async def test_origins_are_allowed_by_name(fake: FakeEngine, serve: Serve) -> None:
    async with serve(fake, cors_origins="https://search.example,http://localhost:3000") as client:
        preflight = await client.options("/summarize", headers=ORIGIN | PREFLIGHT)
        answer = await client.post("/summarize", json=BODY, headers=ORIGIN)
        refused = await client.post("/summarize", json={}, headers=ORIGIN)
        other = await client.post("/summarize", json=BODY, headers={"Origin": "https://other.example"})
    assert preflight.status_code == 200
    assert "x-deadline-ms" in preflight.headers["access-control-allow-headers"].lower()
    for response in (preflight, answer, refused):
        assert response.headers["access-control-allow-origin"] == "https://search.example"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in other.headers


async def test_no_origin_is_allowed_by_default(client: httpx.AsyncClient) -> None:
    assert (await client.options("/summarize", headers=ORIGIN | PREFLIGHT)).status_code == 405
    response = await client.post("/summarize", json=BODY, headers=ORIGIN)
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_documentation_works_behind_a_path_prefix(fake: FakeEngine, serve: Serve) -> None:
    async with serve(fake, root_path="/gist") as client:
        docs = (await client.get("/docs")).text
        assert "'/gist/openapi.json'" in docs
        assert '"/gist/static-offline-docs/' in docs
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/gist"}]
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/static-offline-docs/swagger-ui.css")).status_code == 200
        assert (await client.post("/summarize", json=BODY)).status_code == 200
