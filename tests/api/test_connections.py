"""Connections that are slow, endless, too many or left unfinished: raw sockets against the real server."""

import asyncio
import contextlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from querygist.api import connections
from querygist.engines.fake import FakeEngine
from tests.api.test_contract import BODY, sample
from tests.conftest import Serve

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /summarize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HALF_BODY = POST + b'Content-Length: 999\r\nX-Deadline-Ms: 300\r\n\r\n{"query": "'


@pytest.fixture
async def client(fake: FakeEngine, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(fake, max_connections=8) as client:
        yield client


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)


@contextlib.asynccontextmanager
async def connection(client: httpx.AsyncClient, sent: bytes = b"") -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.close()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(20):
        return await reader.read()


def parts(answer: bytes) -> tuple[bytes, dict[str, str]]:
    """Status line and problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0], json.loads(body)


@pytest.mark.parametrize("start", [b"GET /livez HTTP/1.1\r\n", b"GET /"])
async def test_an_endless_header_is_ended_early(client: httpx.AsyncClient, start: bytes) -> None:
    filling = b"a:b\r\n" * 10_000 if start.endswith(b"\n") else b"x" * 50_000
    async with connection(client, start) as (reader, writer):
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000 and not reader.at_eof():
                writer.write(filling)
                sent += len(filling)
                await writer.drain()
                await asyncio.sleep(0)
        assert sent < 20_000_000, "what fits in the kernel's buffers and no more"
    assert (await client.get("/livez")).status_code == 200


async def test_a_header_in_one_read_has_the_same_limit(client: httpx.AsyncClient) -> None:
    lines = b"a:b\r\n" * 40_000
    async with connection(client, LIVEZ[:-2] + lines + b"\r\n") as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHo", LIVEZ + b"GET"], ids=["nothing", "half", "second"])
async def test_a_connection_without_a_header_is_closed(
    client: httpx.AsyncClient, hurry: None, sent: bytes, logged: io.StringIO
) -> None:
    async with connection(client, sent) as (reader, _):
        answer = await until_closed(reader)
    assert answer.count(b"HTTP/1.1 408 Request Timeout") == (sent != b"")
    assert answer.count(b"connection: close") == (sent != b"")
    if sent.startswith(b"GET") and sent != LIVEZ + b"GET":
        assert parts(answer)[1]["type"] == "urn:querygist:problem:request-timeout"
    assert await sample(client, 'querygist_connections_refused_total{reason="timeout"}') == 1
    assert '"reason": "timeout"' in logged.getvalue()


async def test_a_header_byte_now_and_then_gains_no_time(client: httpx.AsyncClient, hurry: None) -> None:
    async with connection(client, b"GET /livez HTTP/1.1\r\nA: ") as (reader, writer):
        assert (await dripping(reader, writer)).startswith(b"HTTP/1.1 408 ")


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send a byte every 50 ms until the server closes; return what it answered."""
    answer = b""

    async def collect() -> None:
        nonlocal answer
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                answer += piece

    collecting = asyncio.create_task(collect())
    async with asyncio.timeout(20):
        while not collecting.done():
            writer.write(b"1")
            await asyncio.sleep(0.05)
    return answer


async def test_a_connection_in_use_is_kept(client: httpx.AsyncClient, hurry: None) -> None:
    async with connection(client) as (reader, writer):
        began = time.monotonic()
        while time.monotonic() - began < 2.5:  # two looks at what is overdue
            writer.write(LIVEZ)
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len('{"status":"alive"}'))
            await asyncio.sleep(0.05)


async def test_an_answer_that_nobody_reads_is_dropped(client: httpx.AsyncClient) -> None:
    all_connections = client.server.connections  # type: ignore[attr-defined]
    request = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connection(client, request * 20) as (reader, _):
        await reader.readline()
        all_connections.request_seconds = 0.1
        async with asyncio.timeout(20):
            while all_connections.serving:
                await asyncio.sleep(0.01)
    assert await sample(client, 'querygist_connections_refused_total{reason="timeout"}') == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 999", b"Transfer-Encoding: chunked"])
async def test_a_slow_body_ends_at_its_deadline(client: httpx.AsyncClient, framing: bytes) -> None:
    began = time.monotonic()
    async with connection(client, POST + framing + b"\r\nX-Deadline-Ms: 300\r\n\r\n1") as (reader, _):
        answer = await until_closed(reader)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.lower().count(b"\r\nconnection: close\r\n") == 1
    assert time.monotonic() - began < 5, "the connection does not linger for the rest"


@pytest.mark.parametrize("before", [b"", LIVEZ], ids=["alone", "pipelined"])
@pytest.mark.parametrize("apart", [0, 1, 4], ids=["one read", "a byte of the header", "after the header"])
async def test_a_body_in_chunks_of_a_byte_is_ended(client: httpx.AsyncClient, before: bytes, apart: int) -> None:
    chunked = before + POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 1_000
    end = chunked.index(b"\r\n1\r\n") + 2 - (apart == 1)
    async with connection(client, chunked[:end] if apart else b"") as (reader, writer):
        await until_connected(client)
        writer.write(chunked[end:] if apart else chunked)
        with contextlib.suppress(ConnectionError):
            assert b" 408 " not in await until_closed(reader)
    assert await sample(client, 'querygist_connections_refused_total{reason="chunks"}') == 1


async def until_connected(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while not client.server.connections.serving:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # for what was sent to be read


async def test_lines_of_a_body_of_known_length_are_read(client: httpx.AsyncClient) -> None:
    body = json.dumps(BODY).encode() + b"\r\n" * 3_000
    async with connection(client, POST + b"Content-Length: %d\r\n\r\n" % len(body) + body) as (reader, _):
        assert b" 200 " in await reader.readline()


async def test_short_chunks_are_read(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        body = json.dumps(BODY, indent=1).replace("\n", "\r\n").encode()
        for at in range(0, len(body), 40):
            yield body[at : at + 40]

    response = await client.post("/summarize", content=pieces(), headers={"Content-Type": "application/json"})
    assert response.status_code == 200


async def test_a_body_that_drips_on_is_closed(client: httpx.AsyncClient, hurry: None) -> None:
    async with connection(client, HALF_BODY) as (reader, writer):
        status, problem = parts(await dripping(reader, writer))
        assert status == b"HTTP/1.1 408 Request Timeout"
        assert "deadline" in problem["detail"]


async def test_half_a_body_does_not_outlive_a_drain(client: httpx.AsyncClient, logged: io.StringIO) -> None:
    async with connection(client, HALF_BODY) as (reader, _):
        await until_running(client)
        client.server.handle_exit(signal.SIGTERM, None)  # type: ignore[attr-defined]
        assert (await until_closed(reader)).startswith(b"HTTP/1.1 408 ")
        await until_stopped(client)
    assert "Exception" not in logged.getvalue()


async def test_a_drain_that_expires_drops_half_bodies(fake: FakeEngine, serve: Serve, logged: io.StringIO) -> None:
    half_body = HALF_BODY.replace(b": 300", b": 50000")
    async with serve(fake, drain_seconds=0.2) as client, connection(client, half_body) as (reader, _):
        await until_running(client)
        client.server.handle_exit(signal.SIGTERM, None)  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            assert await until_closed(reader) == b""
        await until_stopped(client)
    assert "Exception" not in logged.getvalue()
    assert "drain_expired" in logged.getvalue()


async def until_running(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while not client.gateway.lifecycle.in_flight:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)


async def until_stopped(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while client.server.servers[0].is_serving():  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def all_taken(client: httpx.AsyncClient) -> AsyncIterator[list[Streams]]:
    """Open as many connections as there may be."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connection(client)) for _ in range(8)]


async def test_one_connection_too_many_is_told_so(client: httpx.AsyncClient, logged: io.StringIO) -> None:
    async with all_taken(client) as taken:
        for sent in (b"", LIVEZ, POST + b"Content-Length: 3000000\r\n\r\n" + b" " * 3_000_000):
            async with connection(client, sent) as (reader, _):
                status, problem = parts(await until_closed(reader))
                assert status == b"HTTP/1.1 503 Service Unavailable"
                assert "has 8 connections open" in problem["detail"]
        for reader, writer in taken:
            writer.write(LIVEZ)
            assert b" 200 " in await reader.readline()
        assert client.gateway.metrics.open_connections._value.get() == 8  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while client.gateway.metrics.open_connections._value.get():  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
    assert (await client.get("/livez")).status_code == 200
    assert await sample(client, 'querygist_connections_refused_total{reason="limit"}') == 3
    assert await sample(client, "querygist_open_connections") == 1
    assert logged.getvalue().count('"connections_refused"') == 1, "the log is not flooded"


async def test_of_very_many_the_rest_is_reset(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_REFUSED", 1)
    async with all_taken(client), connection(client) as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        async with connection(client) as (second, _):
            with contextlib.suppress(ConnectionError):
                assert await until_closed(second) == b""


async def test_http_1_0_gets_a_stream_without_chunks(client: httpx.AsyncClient) -> None:
    body = json.dumps(BODY | {"stream": True}).encode()
    head = POST.replace(b"1.1", b"1.0") + b"Content-Length: %d\r\n\r\n" % len(body)
    async with connection(client, head + body) as (reader, _):
        head, _, events = (await until_closed(reader)).partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert events.startswith(b"event: token\n")
    assert events.endswith(b"\n\n")


async def test_padded_header_values_are_read(client: httpx.AsyncClient) -> None:
    body = json.dumps(BODY).encode()
    head = POST + b"X-Deadline-Ms:\t 9000 \r\nContent-Length: %d\r\n\r\n" % len(body)
    async with connection(client, head + body) as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_no_connection_is_lost_to_a_web_socket(client: httpx.AsyncClient, logged: io.StringIO) -> None:
    """uvicorn would hand the connection on to a protocol that does not tell when it ends."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    asked = LIVEZ.replace(b"\r\n\r\n", b"\r\n" + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    for _ in range(9):
        async with connection(client, asked) as (reader, _):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    await until_unconnected(client)
    assert "WARNING" not in logged.getvalue().upper(), "a client cannot fill the log"


async def until_unconnected(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while client.server.connections.serving:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)


async def test_pipelined_requests_are_answered_in_order(client: httpx.AsyncClient) -> None:
    async with connection(client, LIVEZ + LIVEZ.replace(b"livez", b"nothing") + LIVEZ) as (reader, _):
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 3:
            answers += await reader.read(65536)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


FIT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from querygist import logs
from querygist.api.connections import fit_open_files
logs.configure(log_format="json", level="info")
print(fit_open_files(1000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "fitting", "raised"), [(256, 4096, 1000, 1224), (256, 524, 300, 524), (2000, 2000, 1000, 2000)]
)
def test_open_files_are_made_enough_or_told(soft: int, hard: int, fitting: int, raised: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIT.format(soft=soft, hard=hard)], capture_output=True, text=True, check=True
    )
    output = (done.stdout + done.stderr).splitlines()
    assert f"{fitting} {raised}" in output
    warned = [json.loads(line) for line in output if "max_connections_lowered" in line]
    assert [(line["max_connections"], line["lowered_to"]) for line in warned] == [(1000, 300)] * (fitting < 1000)
