"""What is on which port, and what every answer says to browsers."""

import io
import json
import re
import socket
from typing import Any

import httpx
import pytest

from querygist.api.health import CONTENT_SECURITY_POLICY
from querygist.api.security_headers import DOCS, NO_PAGE
from querygist.engines.fake import FakeEngine
from querygist.errors import ConfigurationError
from querygist.triton_server.ports import claim
from tests.api.test_contract import BODY, problem_of
from tests.conftest import Serve


async def test_operations_have_a_port_of_their_own(fake: FakeEngine, serve: Serve) -> None:
    [port] = claim([("127.0.0.1", 0)])
    async with (
        serve(fake, operations_port=port) as api,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as operations,
    ):
        docs = (await operations.get("/docs")).text
        for path in ("/metrics", "/readyz", "/docs", "/openapi.json", *re.findall(r'(?:src|href)="([^"]+)"', docs)):
            assert (await operations.get(path)).status_code == 200, path
            for spelt in (path, f"{path}%0A"):  # a route's `$` matches before a line feed, too
                problem_of(await api.get(spelt), 404, "not-found")
        problem_of(await api.get("/metrics", headers={"Host": f"127.0.0.1:{port}"}), 404, "not-found")
        page = await api.get("/")
        assert page.status_code == 200
        assert "API reference" not in page.text, "its link would lead nowhere"
        assert (await api.post("/summarize", json=BODY)).status_code == 200
        problem_of(await operations.get("/"), 404, "not-found")
        problem_of(await operations.post("/summarize", json=BODY), 404, "not-found")
        for client in (api, operations):
            assert (await client.get("/livez")).status_code == 200


async def test_every_address_of_a_name_has_both_ports(
    fake: FakeEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    names = ["127.0.0.1", "127.0.0.2", "127.0.0.1", "2001:db8::1"]  # twice the same, and one that is not here

    def of_many(host: object, *arguments: Any, **named: Any) -> list[Any]:
        many = names if host == "many.test" else [host]
        return [found for name in many for found in resolve(name, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", of_many)
    [port] = claim([("127.0.0.1", 0)])
    async with serve(fake, host="many.test", open=True, operations_port=port) as api, httpx.AsyncClient() as client:
        for address in names[:2]:
            for listening in (api.base_url.port, port):
                assert (await client.get(f"http://{address}:{listening}/livez")).status_code == 200
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: resolve("2001:db8::1", *args[1:], **named))
    with pytest.raises(ConfigurationError, match="Cannot listen on localhost"):
        async with serve(fake, host="localhost", open=True, operations_port=port):
            pass


async def test_probes_get_through_when_there_are_too_many_clients(fake: FakeEngine, serve: Serve) -> None:
    [port] = claim([("127.0.0.1", 0)])
    async with serve(fake, operations_port=port, max_connections=1) as api:
        assert (await api.get("/livez")).status_code == 200  # and its connection stays open
        for address, status in ((api.base_url, 503), (f"http://127.0.0.1:{port}", 200)):
            async with httpx.AsyncClient(base_url=address) as another:
                assert (await another.get("/livez")).status_code == status


async def test_a_taken_operations_port_stops_the_start(fake: FakeEngine, serve: Serve) -> None:
    [port] = claim([("127.0.0.1", 0)])
    async with serve(fake, operations_port=port):
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            async with serve(fake, operations_port=port):
                pass


async def test_every_answer_has_security_headers(client: httpx.AsyncClient) -> None:
    page = {"query": "q", "documents": [{"id": "a", "document": "Owls eat mice."}]}
    answers = [
        await client.get("/"),
        await client.get("/docs"),
        await client.get("/livez"),
        await client.get("/metrics"),
        await client.get("/openapi.json"),
        await client.get("/static-offline-docs/swagger-ui.css"),
        await client.get("/nothing"),
        await client.put("/summarize"),
        await client.post("/summarize", json={}),
        await client.post("/summarize", content=b"x" * (4 << 20), headers={"Content-Type": "application/json"}),
        await client.post("/summarize", json=BODY),
        await client.post("/summarize", json=BODY | {"stream": True}),
        await client.post("/summarize/batch", json=page),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        html = answer.headers["content-type"].startswith("text/html")
        assert answer.headers.get("cross-origin-opener-policy") == ("same-origin" if html else None)
    policies = [answer.headers["content-security-policy"] for answer in answers]
    assert policies == [CONTENT_SECURITY_POLICY, DOCS] + [NO_PAGE] * (len(answers) - 2)
    assert all("frame-ancestors 'none'" in policy for policy in policies)


async def test_a_crash_has_security_headers(fake: FakeEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(fake) as client:
        monkeypatch.setattr(client.gateway.lifecycle.__class__, "draining", property(lambda _: 1 / 0))  # type: ignore[attr-defined]
        answer = await client.get("/readyz")
        assert problem_of(answer, 500, "internal")
        assert answer.headers["content-security-policy"] == NO_PAGE


async def test_an_open_service_says_so_once(fake: FakeEngine, serve: Serve, logged: io.StringIO) -> None:
    async with serve(fake):
        pass
    assert "open_to_everyone" not in logged.getvalue(), "on loopback"
    async with serve(fake, host="0.0.0.0", open=True) as client:
        for _ in range(2):
            await client.post("/summarize", json=BODY)
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["level"] for line in lines if line["event"] == "open_to_everyone"] == ["warning"]
