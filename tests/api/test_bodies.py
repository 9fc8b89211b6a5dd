"""Bodies as clients send them: packed, in other charsets, far too large, one byte after the other."""

import asyncio
import contextlib
import gzip
import json
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from querygist.api import bodies
from querygist.engines.fake import FakeEngine
from tests.api.test_contract import BODY, problem_of
from tests.conftest import Serve

PLAIN = json.dumps(BODY).encode()
JSON = {"Content-Type": "application/json"}
PACKED = {"gzip": gzip.compress(PLAIN), "x-gzip": gzip.compress(PLAIN), "deflate": zlib.compress(PLAIN)}


@pytest.fixture
async def client(fake: FakeEngine, serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(fake) as client:
        yield client


async def post(client: httpx.AsyncClient, content: Any, path: str = "/summarize", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, content=content, headers=JSON | named)


@pytest.mark.parametrize("coding", PACKED)
async def test_a_packed_body_is_unpacked(client: httpx.AsyncClient, coding: str) -> None:
    response = await post(client, PACKED[coding], content_encoding=coding.upper())
    assert response.json()["answerable"]


async def test_an_unknown_coding_is_named(client: httpx.AsyncClient) -> None:
    response = await post(client, PLAIN, content_encoding="br")
    assert "'br'" in problem_of(response, 415, "unsupported-media-type")["detail"]
    assert response.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    "content",
    [PLAIN, PACKED["gzip"][:-1], PACKED["gzip"][:40], PACKED["gzip"] + b"x", PACKED["deflate"], b""],
    ids=["plain", "no end", "half", "more", "deflate", "empty"],
)
async def test_a_body_that_is_not_what_its_coding_says(client: httpx.AsyncClient, content: bytes) -> None:
    problem = problem_of(await post(client, content, content_encoding="gzip"), 400, "invalid-request")
    assert "cannot be unpacked" in problem["detail"]


async def test_a_bomb_is_refused_at_the_limit(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = 0
    within_limit = bodies._Body._within_limit

    def counted(body: Any, size: int) -> None:
        nonlocal unpacked
        unpacked = max(unpacked, size)
        within_limit(body, size)

    monkeypatch.setattr(bodies._Body, "_within_limit", counted)
    bomb = gzip.compress(b" " * 300_000_000, 1)
    assert len(bomb) < bodies.BODY_BYTES
    problem_of(await post(client, bomb, content_encoding="gzip"), 413, "too-large")
    assert unpacked <= bodies.BODY_BYTES + bodies.PIECE_BYTES


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        *(("utf-8", named) for named in (None, "utf-8", '"UTF-8"')),
        *(("utf-8-sig", named) for named in (None, "utf-8")),
        *(("utf-16", named) for named in (None, "utf-16")),
        *(("utf-16-be", named) for named in (None, "utf-16be", "utf-16")),
        *(("utf-32-le", named) for named in (None, "utf-32")),
        ("latin-1", "iso-8859-1"),
        ("latin-1", "latin1"),
        ("cp1252", "windows-1252"),
        ("shift_jis", "Shift_JIS"),
    ],
)
async def test_a_body_is_read_in_its_charset(client: httpx.AsyncClient, encoding: str, charset: str | None) -> None:
    document = "ペニシリン was discovered." if encoding == "shift_jis" else "Der Pförtner was discovered in 1928."
    body = BODY | {"document": document, "style": "quote", "query": "what was discovered"}
    content = json.dumps(body, ensure_ascii=False).encode(encoding)
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    pieces = [content[at : at + 3] for at in range(0, len(content), 3)]

    async def slowly() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    for sent in (content, slowly()):
        response = await client.post("/summarize", content=sent, headers={"Content-Type": kind})
        assert response.json().get("summary") == document, response.text


@pytest.mark.parametrize(
    ("content", "charset", "told"),
    [
        (PLAIN, "klingon", "'klingon'"),
        (PLAIN, "unicode_escape", "'unicode_escape'"),
        (PLAIN, "rot13", "'rot13'"),
        (b'{"query": "caf\xe9"}', None, "not valid UTF-8"),
        (b'{"query": "caf\xe9"}', "utf-8", "not valid UTF-8"),
        (b'{"query": "caf\xe9"}', "us-ascii", "not valid ASCII"),
        (PLAIN, "utf-16", "not valid UTF-16"),
        (PLAIN, "utf-16-le", "read as utf-16-le"),
    ],
)
async def test_a_wrong_charset_is_named(
    client: httpx.AsyncClient, content: bytes, charset: str | None, told: str
) -> None:
    kind = "application/json" + (f"; charset={charset}" if charset else "")
    response = await client.post("/summarize", content=content, headers={"Content-Type": kind})
    assert told in problem_of(response, 400, "invalid-request")["detail"]


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (";" * 15_000, "15016 characters of at most 256"),
        (f"; charset*{'1' * 5_000}*=x", "characters"),
        ("; charset*=x'y", "charset"),
    ],
)
async def test_a_strange_content_type_is_refused_at_once(client: httpx.AsyncClient, parameters: str, told: str) -> None:
    kind = {"Content-Type": f"application/json{parameters}"}
    began = time.process_time()
    problem = problem_of(await client.post("/summarize", content=PLAIN, headers=kind), 400, "invalid-request")
    assert told in problem["detail"]
    assert time.process_time() - began < 0.1


@contextlib.asynccontextmanager
async def longest_block() -> AsyncIterator[list[float]]:
    """Yields a list of how long the event loop was away each time, in seconds."""
    away: list[float] = [0.0]

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            away.append(time.monotonic() - before)

    beating = asyncio.create_task(beat())
    yield away
    beating.cancel()


async def test_unfinished_bodies_leave_room_for_small_ones(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "UNFINISHED_BYTES", 10 * 100_000)
    leave = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b'{"query": "' + b"x" * 100_000
        await leave.wait()

    halves = [asyncio.create_task(post(client, half())) for _ in range(8)]
    async with asyncio.timeout(20):
        while bodies._Body.unfinished < 8 * 100_000:
            await asyncio.sleep(0.01)
    refused = await post(client, b'{"query": "' + b"x" * 200_000)
    problem_of(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert (await post(client, PLAIN)).status_code == 200
    leave.set()
    for answer in await asyncio.gather(*halves):
        problem_of(answer, 400, "invalid-request")
    assert bodies._Body.unfinished == 0


BATCH = b'{"query": "who discovered penicillin", "documents": ['


async def test_five_million_lists_are_refused_at_once(client: httpx.AsyncClient) -> None:
    content = BATCH + b",".join([b"[]"] * 5_000_000) + b"]}"
    async with longest_block() as away:
        response = await post(client, content, "/summarize/batch")
    problem_of(response, 422, "invalid-fields")
    began = time.perf_counter()
    json.loads(content)
    assert max(away) < 0.75 * (time.perf_counter() - began), "the client's own sending is a part of it"


async def test_a_batch_of_16_mb_holds_nobody_up(client: httpx.AsyncClient) -> None:
    one = b'{"id": "%d", "style": "quote", "document": "' + b"\\u0020\\u00e9" * 99_000 + b'."}'
    content = BATCH + b",".join(one % number for number in range(13)) + b"]}"
    assert 15_000_000 < len(content) < bodies.BATCH_BODY_BYTES
    began = time.perf_counter()
    async with longest_block() as away:
        response = await post(client, content, "/summarize/batch", x_deadline_ms="60000")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert {line["id"] for line in lines} == {str(number) for number in range(13)}
    assert max(away) < 0.25 * (time.perf_counter() - began)


async def test_unpacked_bytes_have_the_same_limit(client: httpx.AsyncClient) -> None:
    fits, not_fits = (b" " * (bodies.BODY_BYTES - len(PLAIN) + more) + PLAIN for more in (0, 1))
    assert (await post(client, gzip.compress(fits), content_encoding="gzip")).status_code == 200
    problem_of(await post(client, gzip.compress(not_fits), content_encoding="gzip"), 413, "too-large")


async def test_a_bad_document_of_a_batch_is_told_apart(client: httpx.AsyncClient) -> None:
    good = {"id": "good", "document": BODY["document"]}
    bad: list[Any] = [
        None,
        7,
        [good],
        {"id": "nested", "document": {"text": [1, {"deep": "er"}]}},
        {"id": "unknown", "document": "x", "colour": ["red"]},
        {"id": "number", "document": 5},
        {"id": "long", "document": "x" * 3_000_000},
    ]
    response = await client.post("/summarize/batch", json={"query": BODY["query"], "documents": [*bad, good]})
    lines = {line["id"]: line for line in map(json.loads, response.text.splitlines())}
    assert lines.pop("good")["answer"]["answerable"]
    assert set(lines) == {"#0", "#1", "#2", "nested", "unknown", "number", "long"}
    assert {line["problem"]["type"] for line in lines.values()} == {"urn:querygist:problem:invalid-fields"}
    assert "at most 200000 characters" in lines["long"]["problem"]["detail"]
    assert "document: Input should be a valid string" in lines["nested"]["problem"]["detail"]
