"""What the demo page does, in a real browser against a real server."""

import asyncio
import json
import re
import subprocess

import pytest
from playwright.async_api import expect

from querygist.prompting.templates import NO_ANSWER
from tests.conftest import Live, Serve
from tests.e2e.asking import DOCUMENT, QUERY, REPLY, answer_on, ask, marks_on, release, words
from tests.e2e.conftest import OpenPage, Says

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", ["Penicillin", "Webb’s mirror", "Autumn leaves, in HTML"])
async def test_an_example_is_one_click(live: Live, open_page: OpenPage, name: str) -> None:
    page = await open_page(live.url)
    await page.get_by_role("button", name=name).click()
    answer = await answer_on(page)
    document = await page.get_by_label("Document", exact=True).input_value()
    assert 150 <= len(document.split()) <= 350
    assert await page.get_by_label("Query").input_value()
    assert await page.locator("#summary").text_content() == answer.summary != ""
    assert await page.get_by_role("radio", name="HTML").is_checked() == (answer.text is not None) == ("HTML" in name)
    marks = await marks_on(page, answer, answer.text or document)
    assert marks
    assert all(words(mark) in words(answer.summary) for mark in marks)
    await expect(page.locator("#badges")).to_contain_text(answer.method)
    for fact in ("queue", "first_token", "total", "score", "copied", "usage", "model"):
        await expect(page.locator(f"#facts [data-fact={fact}] dd")).to_have_text(re.compile(r"\w"))


async def test_sources_after_emoji_are_in_their_place(serve: Serve, says: Says, open_page: OpenPage) -> None:
    document = f"👩‍🔬 Notes 🐝🍯 from 🇬🇪, 𝒶 to 𝓏.\n\n{DOCUMENT} 🎉"
    async with serve(says(REPLY)) as server:
        page = await open_page(str(server.base_url))
        await ask(page, document=document)
        marks = await marks_on(page, await answer_on(page), document)
    assert words(" ".join(marks)) == words(REPLY)


async def test_the_summary_is_shown_while_it_is_written(serve: Serve, says: Says, open_page: OpenPage) -> None:
    gate = asyncio.Semaphore(0)
    async with serve(says(REPLY, gate=gate)) as server:
        page = await open_page(str(server.base_url))
        await ask(page)
        summary = page.locator("#summary")
        await expect(summary).to_have_attribute("aria-busy", "true")
        release(gate, 4)
        await expect(summary).to_have_text(re.compile(r"\w"))
        begun = await summary.text_content() or ""
        assert REPLY.startswith(begun)
        assert begun != REPLY
        release(gate, 100)
        await expect(summary).to_have_text(REPLY)
        await expect(summary).to_have_attribute("aria-busy", "false")


async def test_stop_frees_the_engine_and_keeps_the_text(serve: Serve, says: Says, open_page: OpenPage) -> None:
    gate = asyncio.Semaphore(0)
    engine = says(REPLY, gate=gate)
    async with serve(engine, default_deadline_ms=60_000) as server:
        page = await open_page(str(server.base_url))
        await ask(page)
        release(gate, 4)
        await expect(page.locator("#summary")).to_have_text(re.compile(r"\w"))
        begun = await page.locator("#summary").text_content()
        await page.get_by_role("button", name="Stop").press("Enter")
        async with asyncio.timeout(20):
            await engine.until(lambda engine: engine.cancelled == 1)
        await expect(page.get_by_role("status")).to_have_text("Stopped.")
        await expect(page.locator("#summary")).to_have_text(begun or "")
        await expect(page.get_by_role("alert")).to_be_hidden()
        await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        await expect(page.get_by_role("button", name="Summarize")).to_be_focused()


async def test_a_new_question_replaces_the_one_under_way(serve: Serve, says: Says, open_page: OpenPage) -> None:
    gate = asyncio.Semaphore(0)
    engine = says(REPLY, gate=gate)
    async with serve(engine, default_deadline_ms=60_000) as server:
        page = await open_page(str(server.base_url))
        await ask(page)
        release(gate, 4)
        await expect(page.locator("#summary")).to_have_text(re.compile(r"\w"))
        await ask(page, query="which food keeps for years without much water")
        async with asyncio.timeout(20):
            await engine.until(lambda engine: engine.cancelled == 1 and engine.calls == 2)
        await expect(page.get_by_role("status")).to_have_text("Reading the document…")
        release(gate, 100)
        assert (await answer_on(page)).summary == REPLY == await page.locator("#summary").text_content()


async def test_the_keyboard_is_enough(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)

    async def tab_to(selector: str) -> None:
        for _ in range(20):
            await page.keyboard.press("Tab")
            # What has the focus shows it: itself, or the label's text beside a hidden radio button.
            ring = await page.evaluate(
                "[document.activeElement, document.activeElement.nextElementSibling].some(one => one"
                " && getComputedStyle(one).outlineStyle === 'solid' && getComputedStyle(one).outlineWidth === '3px')"
            )
            assert ring, await page.evaluate("document.activeElement.outerHTML")
            if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"Tab does not lead to {selector}")

    await tab_to("#query")
    await page.keyboard.type(QUERY)
    await tab_to("#document")
    await page.keyboard.insert_text(DOCUMENT)
    await page.keyboard.press("Control+Enter")
    answer = await answer_on(page)
    assert await marks_on(page, answer, DOCUMENT)
    await tab_to("#jumps button")
    await expect(page.locator("mark").first).to_be_in_viewport()
    await tab_to("#view")
    await tab_to("#raw-box summary")
    await page.keyboard.press("Enter")
    await expect(page.locator("#raw")).to_be_visible()


async def test_focus_on_a_source_scrolls_to_it(serve: Serve, says: Says, open_page: OpenPage) -> None:
    document = "Bees visit flowers all day.\n\n" * 120 + DOCUMENT
    async with serve(says(REPLY)) as server:
        page = await open_page(str(server.base_url))
        await ask(page, document=document)
        await answer_on(page)
        mark, view = page.locator("mark").first, page.locator("#view")
        assert await view.evaluate("view => view.scrollTop > 0"), "the first source shows at once"
        for selector in ("#jumps button >> nth=0", "#view"):
            await view.evaluate("view => { view.scrollTop = 0; document.activeElement.blur(); }")
            await expect(mark).not_to_be_in_viewport()
            await page.keyboard.press("Shift")  # Chromium draws focus rings once the keyboard is in use
            await page.locator(selector).focus()
            await expect(mark).to_be_in_viewport()


async def test_options_and_key_are_sent(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)
    await page.get_by_text("Options").click()
    await page.get_by_label("Title").fill("Honey")
    await page.get_by_label("Most words").fill("20")
    await page.get_by_label("API key").fill("s3cret")
    async with page.expect_request("**/summarize") as sent:
        await ask(page)
    request = await sent.value
    assert request.post_data_json == {
        "query": QUERY,
        "document": DOCUMENT,
        "content_type": "text/plain",
        "style": "write",
        "title": "Honey",
        "max_words": 20,
        "stream": True,
    }
    assert request.headers["authorization"] == "Bearer s3cret"
    assert len((await answer_on(page)).summary.split()) <= 20
    assert "s3cret" not in await page.content()


async def test_the_curl_command_sends_the_same(live: Live, open_page: OpenPage) -> None:
    document = f"""It's "quoted", $HOME `date` \\n {DOCUMENT}\nJSON\n👩‍🔬"""
    page = await open_page(live.url, permissions=["clipboard-read"])
    async with page.expect_request("**/summarize") as sent:
        await ask(page, document=document)
    await page.get_by_text("The same with curl").click()
    await page.get_by_role("button", name="Copy").click()
    command = await page.evaluate("navigator.clipboard.readText()")
    assert command == await page.locator("#curl").text_content()
    # A function in curl's place tells what it was called with.
    pretended = subprocess.run(
        ["bash", "-c", f'curl() {{ printf "%s\\n" "$@" >&2; cat; }}\n{command}'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(pretended.stdout) == (await sent.value).post_data_json
    assert f"{live.url}/summarize" in pretended.stderr.splitlines()
    await answer_on(page)


async def test_an_answer_from_memory_says_so(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)
    await ask(page)
    first = await answer_on(page)
    await page.get_by_label("Query").press("Enter")
    await expect(page.locator("#badges")).to_have_text("generativecached")
    assert (await answer_on(page)).summary == first.summary == await page.locator("#summary").text_content()


async def test_a_document_that_does_not_answer(serve: Serve, says: Says, open_page: OpenPage) -> None:
    async with serve(says(NO_ANSWER)) as server:
        page = await open_page(str(server.base_url))
        await ask(page, query="capital of Australia")
        assert not (await answer_on(page)).answerable
        await expect(page.locator("#summary")).to_have_text("The document does not answer this query.")
        await expect(page.locator("#sources")).to_be_hidden()
        assert await page.locator("mark").count() == 0


async def test_a_quote_that_stands_in_says_why(serve: Serve, says: Says, open_page: OpenPage) -> None:
    async with serve(says(REPLY, failing=True)) as server:
        page = await open_page(str(server.base_url))
        await ask(page)
        answer = await answer_on(page)
        await expect(page.locator("#badges")).to_have_text("extractivequote: the model does not answer")
        assert await marks_on(page, answer, DOCUMENT)
