"""The reader chooses what answers, and says when nothing does; while it is gone, BM25 chooses."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from querygist.engines.fake import FakeEngine
from tests.api.test_failures import sample
from tests.conftest import Serve
from tests.fake_reader import FakeReader

PAGE = (
    "Lamps are sold in Graz. Our lamp has been made by hand since 1920. It weighs two kilograms. "
    "Every lamp is signed by whoever made it. Lamps are shipped on Mondays."
)
GERMAN = (
    "Das Museum ist ein Haus für die Geschichte der Stadt. Die Öffnungszeiten sind von neun bis siebzehn Uhr, und am "
    "Montag ist es geschlossen. Der Eintritt kostet für Kinder nichts."
)
STYLES = ("write", "quote")


async def ask(client: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    response = await client.post("/summarize", json={"query": "how heavy is the lamp", "document": PAGE} | fields)
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize("style", STYLES)
async def test_what_the_reader_likes_is_shown(style: str, serve: Serve, fake: FakeEngine) -> None:
    async with serve(fake, FakeReader("weighs")) as client:
        answer = await ask(client, style=style)
    assert answer["summary"].startswith("It weighs two kilograms.")
    assert answer["score"] == 0.9


@pytest.mark.parametrize("style", STYLES)
async def test_an_unlikely_page_is_refused_unwritten(style: str, serve: Serve, fake: FakeEngine) -> None:
    async with serve(fake, FakeReader("nowhere")) as client:
        answer = await ask(client, style=style)
    assert (answer["answerable"], answer["summary"], answer["score"]) == (False, "", 0.1)
    assert fake.calls == 0


async def test_bm25_chooses_while_the_reader_is_gone(serve: Serve, fake: FakeEngine) -> None:
    """And nothing of that is kept: when the reader is back, so are its choices."""
    reader = FakeReader("weighs", failing=True)
    async with serve(fake, reader) as client:
        without = [await ask(client, style="quote") for _ in range(2)]
        assert [(one["score"], one["cached"], one["answerable"]) for one in without] == [(None, False, True)] * 2
        assert await sample(client, "querygist_reader_failures_total") == 2
        reader.failing = False
        first, second = [await ask(client, style="quote") for _ in range(2)]
    assert (first["score"], first["cached"], second["cached"]) == (0.9, False, True)
    assert without[0]["summary"] != first["summary"]


async def test_a_page_is_read_once_for_all_lengths(serve: Serve, fake: FakeEngine) -> None:
    reader = FakeReader("weighs")
    async with serve(fake, reader) as client:
        for style in STYLES:
            for words in (20, 60):
                await ask(client, style=style, max_words=words)
        await ask(client, query="who made it")
        await ask(client, title="Lamps")
    assert len(reader.pages) == 3


async def test_the_reader_sees_title_headings_and_rows(serve: Serve, fake: FakeEngine) -> None:
    reader = FakeReader("2")
    document = "<h2>Sizes</h2><table><tr><th>Model</th><th>Weight</th></tr><tr><td>A</td><td>2 kg</td></tr></table>"
    async with serve(fake, reader) as client:
        await ask(client, document=document, content_type="text/html", title="Lamp")
    (page,) = reader.pages
    assert page.query == "how heavy is the lamp"
    assert list(page.units) == ["Model: A; Weight: 2 kg"]
    assert [list(path) for path in page.headings] == [["Lamp", "Sizes"]]


@pytest.mark.parametrize("style", STYLES)
async def test_a_page_in_another_language_is_not_refused(style: str, serve: Serve, fake: FakeEngine) -> None:
    """BM25 over pieces of words finds a part of a compound."""
    reader = FakeReader("nowhere")
    async with serve(fake, reader) as client:
        answer = await ask(client, document=GERMAN, query="wann ist das Museum geöffnet Öffnungszeit", style=style)
    assert "von neun bis siebzehn Uhr" in answer["summary"]
    assert answer["score"] is None
    assert reader.pages == []


async def test_a_fallback_is_the_readers_quote(serve: Serve, fake: FakeEngine) -> None:
    fake.failing = True
    async with serve(fake, FakeReader("weighs")) as client:
        answer = await ask(client)
    assert (answer["summary"], answer["reason"], answer["score"]) == ("It weighs two kilograms.", "engine", 0.9)


async def test_a_batch_has_a_score_for_each_document(serve: Serve, fake: FakeEngine) -> None:
    documents = [{"id": "a", "document": PAGE}, {"id": "b", "document": "Lamps are sold in Graz, too."}]
    async with serve(fake, FakeReader("weighs")) as client:
        response = await client.post("/summarize/batch", json={"query": "how heavy", "documents": documents})
    lines = {line["id"]: line["answer"] for line in map(json.loads, response.text.splitlines())}
    assert [(lines[id_]["score"], lines[id_]["answerable"]) for id_ in "ab"] == [(0.9, True), (0.1, False)]


async def test_who_waits_longer_gets_what_is_read(serve: Serve, fake: FakeEngine) -> None:
    """Two ask for the same: the first one's deadline is no reason to stop reading for the second."""
    gate = asyncio.Event()
    reader = FakeReader("weighs", gate=gate)
    async with serve(fake, reader) as client:
        body = {"query": "how heavy is the lamp", "document": PAGE, "style": "quote"}
        first = asyncio.create_task(client.post("/summarize", json=body, headers={"X-Deadline-Ms": "300"}))
        async with asyncio.timeout(10):
            while not reader.pages:
                await asyncio.sleep(0.005)
        second = asyncio.create_task(client.post("/summarize", json=body))
        early = (await first).json()
        assert (early["reason"], early["score"]) == ("deadline", None)
        gate.set()
        late = (await second).json()
    assert (late["reason"], late["score"]) == ("asked", 0.9)
    assert len(reader.pages) == 1
