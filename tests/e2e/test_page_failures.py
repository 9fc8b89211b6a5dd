"""What the demo page does when something goes wrong, and with documents that mean harm."""

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.conftest import Live, Serve
from tests.e2e.asking import DOCUMENT, QUERY, REPLY, answer, answer_on, ask, cited, marks_on, release
from tests.e2e.conftest import OpenPage, Says

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refused_request_says_why(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)
    await ask(page, query="")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Some fields are missing or wrong")
    await expect(alert).to_contain_text("query:")
    await expect(alert).to_contain_text(re.compile(r"Request \w{8,}"))
    await expect(page.get_by_label("Query")).to_have_attribute("aria-invalid", "true")
    await ask(page)
    await answer_on(page)
    await expect(alert).to_be_hidden()
    await expect(page.get_by_label("Query")).not_to_have_attribute("aria-invalid", "true")


async def test_an_engine_that_dies_midway(serve: Serve, says: Says, open_page: OpenPage) -> None:
    gate = asyncio.Semaphore(0)
    async with serve(says(REPLY, gate=gate, fail_after=4)) as server:
        page = await open_page(str(server.base_url))
        await ask(page)
        release(gate, 3)
        await expect(page.locator("#summary")).to_have_text(re.compile(r"\w"))
        release(gate, 1)
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("The summarization engine is unavailable")
        await expect(alert).to_contain_text(re.compile(r"Request \w{8,}"))
        begun = await page.locator("#summary").text_content() or ""
        assert begun
        assert REPLY.startswith(begun)
        await expect(page.locator("#summary")).to_have_attribute("aria-busy", "false")
        await expect(page.locator("#result")).to_be_hidden()


EVENTS, PROBLEM = "text/event-stream", "application/problem+json"


@pytest.mark.parametrize(
    ("response", "title"),
    [
        (None, "The service cannot be reached"),
        ({"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"}, "HTTP 502"),
        ({"status": 503, "content_type": PROBLEM, "body": "{"}, "The answer cannot be read"),
        ({"content_type": EVENTS, "body": 'event: token\ndata: {"text": "It"}\n\n'}, "The answer is incomplete"),
        ({"content_type": EVENTS, "body": "event: token\ndata: It\n\n"}, "The answer cannot be read"),
    ],
    ids=["no network", "proxy error", "broken problem", "cut stream", "broken event"],
)
async def test_what_is_not_an_answer(
    live: Live, open_page: OpenPage, response: dict[str, Any] | None, title: str
) -> None:
    page = await open_page(live.url)
    await page.route("**/summarize", lambda route: route.fulfill(**response) if response else route.abort())
    await ask(page)
    await expect(page.locator("#problem-title")).to_have_text(title)
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_events_are_read_however_the_bytes_are_cut(live: Live, open_page: OpenPage, newline: str) -> None:
    summary, document = "Größe: 日本 👩‍🔬.", "🎉 Größe: 日本 👩‍🔬. Ende."
    given = answer(summary, cited(0, len(summary), (2, 2 + len(summary))))
    lines = [": a comment", "retry: 1000", ""]
    for character in summary:
        lines += ["event:token", f"data: {json.dumps({'text': character}, ensure_ascii=False)}", ""]
    lines += ["event: done", *(f"data: {line}" for line in given.model_dump_json(indent=1).splitlines()), ""]
    body = "".join(line + newline for line in lines).encode()
    page = await open_page(
        live.url,
        script="window.fetch = async () => new Response(new ReadableStream({ start(controller) {"
        f"for (const byte of {list(body)}) controller.enqueue(Uint8Array.of(byte)); controller.close(); }} }}));"
        "window.written = [];"
        "new MutationObserver(() => written.push(document.querySelector('#summary')?.textContent))"
        ".observe(document, { childList: true, characterData: true, subtree: true });",
    )
    await ask(page, document=document)
    assert await answer_on(page) == given
    assert await page.locator("#summary").text_content() == summary
    assert await marks_on(page, given, document) == [summary]
    assert "\ufffd" not in "".join(filter(None, await page.evaluate("written")))


HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script><b>Bold</b> claims."


async def test_markup_in_a_document_stays_text(serve: Serve, says: Says, open_page: OpenPage) -> None:
    document = f"{DOCUMENT} {HOSTILE} {DOCUMENT}"
    async with serve(says(HOSTILE)) as server:
        page = await open_page(str(server.base_url))
        await ask(page, query="bold claims", document=document)
        shown = await answer_on(page)
        assert await page.locator("#summary").text_content() == shown.summary == HOSTILE
        assert "onerror" in "".join(await marks_on(page, shown, document))
        assert await page.locator("#answer").locator("img, script, b").count() == 0
        assert await page.title() == "Querygist"


async def test_markup_in_a_problem_stays_text(live: Live, open_page: OpenPage) -> None:
    problem = {"title": HOSTILE, "detail": HOSTILE, "request_id": HOSTILE, "errors": [{"field": HOSTILE}]}
    page = await open_page(live.url)
    await page.route(
        "**/summarize",
        lambda route: route.fulfill(status=422, content_type=PROBLEM, body=json.dumps(problem)),
    )
    await ask(page, query=QUERY)
    await expect(page.locator("#problem-detail")).to_have_text(HOSTILE)
    assert await page.get_by_role("alert").locator("img, script, b").count() == 0
    assert await page.title() == "Querygist"
