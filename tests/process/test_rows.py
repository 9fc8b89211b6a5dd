"""Real rows through the real service."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from tests.conftest import Live
from tests.process.conftest import Start

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]

ROWS = 20


def body_of(row: dict[str, str], **options: Any) -> dict[str, Any]:
    return {"query": row["query"], "document": row["document"], "max_words": 20, "fallback": "none", **options}


async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.post("/summarize", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def ask_streaming(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    text, last = "", {}
    async with client.stream("POST", "/summarize", json=body | {"stream": True}) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                last = json.loads(line[6:])
                text += last.get("text") or "" if "id" not in last else ""
    return text, last


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


async def test_streamed_answers_equal_whole_ones_and_sources_match(
    embedded_server: Live, rows: list[dict[str, str]]
) -> None:
    async with httpx.AsyncClient(base_url=embedded_server.url, timeout=90) as client:
        quoted_rows = 0
        for row in rows[:ROWS]:
            fresh = await ask(client, body_of(row, max_words=21))
            text, cached = await ask_streaming(client, body_of(row, max_words=21))
            assert text == cached["summary"] == fresh["summary"]
            assert (fresh["cached"], cached["cached"]) == (False, True)
            assert (cached["sources"], cached["copied"]) == (fresh["sources"], fresh["copied"])
            assert bool(fresh["citations"]) == bool(fresh["sources"]) == fresh["answerable"]
            for citation in fresh["citations"]:
                part = fresh["summary"][citation["summary"]["start"] : citation["summary"]["end"]]
                quotes = [row["document"][span["start"] : span["end"]] for span in citation["sources"]]
                assert words(part) == words(" ".join(quotes)), "every word is the document's"
            quoted_rows += fresh["answerable"]
        assert quoted_rows >= ROWS / 2


async def differences(client: httpx.AsyncClient, rows: list[dict[str, str]]) -> int:
    """Rows whose summary is another when it is streamed, eight at a time, than when it comes whole and alone."""
    alone = [(await ask(client, body_of(row)))["summary"] for row in rows]
    together = await asyncio.gather(*(ask_streaming(client, body_of(row)) for row in rows))
    assert all(text == answer["summary"] for text, answer in together)
    return sum(one != text for one, (text, _) in zip(alone, together, strict=True))


async def test_batching_changes_few_rows_in_int8(
    start: Start, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    async with start(CACHE_MB="0") as gateway:
        different = await differences(gateway.client, rows[:ROWS])
    with capsys.disabled():
        print(f"int8: {different} of {ROWS} rows have another summary in a batch", end=" ")
    assert different <= 0.1 * ROWS


async def test_streams_batches_and_candidates_change_nothing_in_fp32(start: Start, rows: list[dict[str, str]]) -> None:
    summaries = []
    for candidates in ("5", "0"):
        async with start(CACHE_MB="0", PRECISION="fp32", CANDIDATE_TOKENS=candidates) as gateway:
            if candidates == "5":
                assert await differences(gateway.client, rows[:ROWS]) == 0
            answers = await asyncio.gather(*(ask(gateway.client, body_of(row)) for row in rows[:ROWS]))
            summaries.append([answer["summary"] for answer in answers])
            text = (await gateway.client.get("/metrics")).text
            accepted = float(re.search("^querygist_candidate_tokens_accepted_total (.*)$", text, re.M)[1])  # type: ignore[index]
            assert (accepted > 0) == (candidates == "5")
    assert summaries[0] == summaries[1]
