"""Quotes and citations on the demo page: what a part of the summary rests on, by pointer and by keyboard."""

import json

import pytest
from playwright.async_api import Page, expect

from tests.conftest import Live, Serve
from tests.e2e.asking import DOCUMENT, QUERY, REPLY, answer, answer_on, ask, cited, give, marks_on
from tests.e2e.conftest import OpenPage, Says

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMOJI = "👩‍🔬 "
NOTE = "Verbatim: the document’s own words"


async def lit(page: Page, within: str) -> list[str]:
    return await page.locator(f"{within} .lit").all_text_contents()


async def test_a_quote_is_asked_for_and_says_so(serve: Serve, says: Says, open_page: OpenPage) -> None:
    engine = says(REPLY)
    async with serve(engine) as server:
        page = await open_page(str(server.base_url))
        await page.get_by_role("radio", name="Quoted").check(force=True)
        async with page.expect_request("**/summarize") as sent:
            await ask(page)
        assert json.loads((await sent.value).post_data or "")["style"] == "quote"
        shown = await answer_on(page)
        assert shown.reason == "asked"
        assert await marks_on(page, shown, DOCUMENT)
        await expect(page.locator("#badges")).to_have_text("extractivequote, as asked")
    assert engine.calls == 0


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("asked", "quote, as asked"),
        ("checker", "quote: the model’s text did not stand up to the page"),
        ("overloaded", "quote: overloaded"),
        ("deadline", "quote: no time left for the model"),
        ("engine", "quote: the model does not answer"),
    ],
)
async def test_every_reason_is_said_in_words(live: Live, open_page: OpenPage, reason: str, said: str) -> None:
    page = await open_page(live.url)
    await give(page, answer("Honey keeps for years.", cited(0, 22, (0, 22)), method="extractive", reason=reason))
    await ask(page)
    await expect(page.locator("#badges")).to_have_text(f"extractive{said}")


async def test_pointing_at_a_part_lights_its_sources(serve: Serve, says: Says, open_page: OpenPage) -> None:
    document = EMOJI + DOCUMENT
    async with serve(says(REPLY)) as server:
        page = await open_page(str(server.base_url))
        await ask(page, document=document)
        shown = await answer_on(page)
        assert len(shown.citations) == 2
        assert await lit(page, "#answer") == []
        for number, one in enumerate(shown.citations):
            await page.locator(".cite").nth(number).hover()
            [source] = one.sources
            assert await lit(page, "#view") == [document[source.start : source.end]]
            assert await lit(page, "#summary") == [shown.summary[one.summary.start : one.summary.end]]
            await expect(page.locator("#support")).to_contain_text(one.support.title(), use_inner_text=True)
        await page.get_by_label("Query").hover()
        assert await lit(page, "#answer") == []
        await expect(page.locator("#support")).to_contain_text("Point at a part", use_inner_text=True)
        assert await page.locator("#summary").text_content() == shown.summary


async def test_the_keyboard_reaches_citations_and_scrolls(live: Live, open_page: OpenPage) -> None:
    far = "Bees visit flowers all day.\n\n" * 120
    document = f"{EMOJI}{DOCUMENT} {far}The end."
    start = len(document) - len("The end.")
    page = await open_page(live.url, viewport={"width": 1280, "height": 500})
    await give(
        page, answer("Honey keeps for years. … The end.", cited(0, 22, (4, 26)), cited(25, 33, (start, start + 8)))
    )
    await ask(page, document=document)
    assert await marks_on(page, await answer_on(page), document) == ["Honey keeps for years.", "The end."]
    first, last = page.locator(".cite").all_inner_texts, page.get_by_role("link", name="The end.")
    assert await first() == ["Honey keeps for years.", "The end."]
    await page.get_by_role("link", name="Honey keeps for years.").focus()
    await page.keyboard.press("Tab")
    await expect(last).to_be_focused()
    assert await last.evaluate("it => document.getElementById(it.getAttribute('aria-describedby')).textContent") == NOTE
    assert await lit(page, "#view") == ["The end."]
    view = page.locator("#view")
    assert await view.evaluate(
        "view => { const one = view.querySelector('.lit').getBoundingClientRect(), all = view.getBoundingClientRect();"
        " return all.top <= one.top && one.bottom <= all.bottom; }"
    )
    await expect(last).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#view .lit")).to_be_in_viewport()
    assert page.url == f"{live.url}/"


async def test_support_and_shared_sources_are_told_apart(live: Live, open_page: OpenPage) -> None:
    document = "Honey keeps for years. It holds little water."
    given = answer(
        "Honey keeps. Honey keeps for years. It does not spoil.",
        cited(0, 12, (0, 11), support="repaired"),
        cited(13, 35, (0, 22)),
        cited(36, 54, support="paraphrase"),
    )
    given = given.model_copy(update={"sources": [given.citations[1].sources[0]]})
    page = await open_page(live.url)
    await give(page, given)
    await ask(page, query=QUERY, document=document)
    assert await marks_on(page, await answer_on(page), document) == ["Honey keeps for years."]
    notes = []
    for number, pieces in enumerate([["Honey keeps"], ["Honey keeps", " for years."], []]):
        await page.locator(".cite").nth(number).focus()
        assert await lit(page, "#view") == pieces
        notes.append(await page.locator("#support").inner_text())
    assert [note.partition(":")[0] for note in notes] == ["Repaired", "Verbatim", "Paraphrase"]
    assert "nowhere in the document" in notes[2]
