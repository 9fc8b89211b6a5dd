"""How the demo page looks: widths, colours, and that it needs nothing from anywhere else."""

import pytest
from playwright.async_api import Browser, Page, expect

from querygist.api.health import CONTENT_SECURITY_POLICY
from tests.conftest import Live
from tests.e2e.asking import answer_on, ask
from tests.e2e.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

# [text, its contrast] of every visible text and placeholder, by WCAG 2.2's definition of contrast.
CONTRASTS = """() => {
  const channels = colour => {
    const found = colour.match(/^rgba?\\(([^)]+)\\)$/);
    if (!found) throw new Error(`not a colour this test reads: ${colour}`);
    return found[1].split(',').map(Number);
  };
  const luminance = colour => {
    const linear = c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    const [r, g, b] = colour.slice(0, 3).map(c => linear(c / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const [r, g, b, alpha = 1] = channels(getComputedStyle(element).backgroundColor);
      if (alpha === 1) return [r, g, b];
      if (alpha !== 0) throw new Error('a translucent background');
    }
    throw new Error('no background');
  };
  const measure = (element, colour, text) => {
    const [dark, light] = [luminance(channels(colour)), luminance(behind(element))].sort((a, b) => a - b);
    return [text.trim().slice(0, 40), (light + .05) / (dark + .05)];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('script, style') || !element.checkVisibility()) continue;
    found.push(measure(element, getComputedStyle(element).color, node.data));
  }
  for (const field of document.querySelectorAll('input:not([type=radio]), textarea')) {
    if (!field.checkVisibility()) continue;
    found.push(measure(field, getComputedStyle(field).color, field.value));
    found.push(measure(field, getComputedStyle(field, '::placeholder').color, field.placeholder));
  }
  return found;
}"""


async def _open_everything(page: Page) -> None:
    for details in await page.locator("details").all():
        await details.evaluate("details => { details.open = true; }")


async def _contrasts(page: Page) -> list[tuple[str, float]]:
    found = [(text, ratio) for text, ratio in await page.evaluate(CONTRASTS)]
    assert len(found) > 15
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_contrast(live: Live, open_page: OpenPage, scheme: str) -> None:
    page = await open_page(live.url, color_scheme=scheme)
    found = await _contrasts(page)
    await ask(page, query="")
    await expect(page.get_by_role("alert")).to_be_visible()
    found += await _contrasts(page)
    for _ in range(2):  # the second answer comes from memory and says so
        await page.get_by_role("button", name="Penicillin").click()
        await answer_on(page)
    await expect(page.locator(".badge.cached")).to_be_visible()
    await _open_everything(page)
    found += await _contrasts(page)
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5] == []


async def test_dark_mode_is_dark(live: Live, open_page: OpenPage) -> None:
    light, dark = [
        await (await open_page(live.url, color_scheme=scheme)).evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        )
        for scheme in ("light", "dark")
    ]
    assert min(light) > 200
    assert max(dark) < 50


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
async def test_nothing_is_wider_than_the_window(live: Live, open_page: OpenPage, width: int) -> None:
    page = await open_page(live.url, viewport={"width": width, "height": 800})

    async def fits() -> None:
        assert await page.evaluate("document.documentElement.scrollWidth") <= width

    await fits()
    await ask(page, query="")
    await expect(page.get_by_role("alert")).to_be_visible()
    await fits()
    await ask(page, query="Q" * 100, document=f"{'W' * 90} {'honey' * 15}. " * 6)
    await answer_on(page)
    await _open_everything(page)
    await fits()


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (1440, 2)])
async def test_question_and_answer_are_side_by_side_on_wide_windows(
    live: Live, open_page: OpenPage, width: int, columns: int
) -> None:
    page = await open_page(live.url, viewport={"width": width, "height": 800})
    await page.get_by_role("button", name="Penicillin").click()
    await answer_on(page)
    form, answer = [await page.locator(selector).bounding_box() for selector in ("#ask", "#answer")]
    assert form
    assert answer
    if columns == 2:
        assert form["x"] + form["width"] < answer["x"]
    else:
        assert form["y"] + form["height"] < answer["y"]
    await expect(page.locator("#summary")).to_be_in_viewport()


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "blink")])
async def test_motion_is_reduced_on_request(live: Live, open_page: OpenPage, motion: str, animation: str) -> None:
    page = await open_page(live.url, reduced_motion=motion)
    await page.locator("#summary").evaluate("summary => summary.setAttribute('aria-busy', 'true')")
    style = await page.locator("#summary").evaluate("summary => getComputedStyle(summary, '::after').animationName")
    assert style == animation


async def test_the_page_is_one_file_under_a_strict_policy(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(f"{request.failure}"))
    response = await page.reload()
    assert response
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    await page.get_by_role("button", name="Penicillin").click()
    await answer_on(page)
    assert [url for url in asked if not url.startswith("data:")] == [f"{live.url}/", f"{live.url}/summarize"]
    # Chromium may call a fetched stream aborted although the page has read it to its end, as `answer_on` proved.
    assert set(failed) <= {"net::ERR_ABORTED"}
    assert await page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


async def test_the_link_leads_to_the_documentation(live: Live, open_page: OpenPage) -> None:
    page = await open_page(live.url)
    link = page.get_by_role("link", name="API reference")
    assert await link.evaluate("link => link.href") == f"{live.url}/docs"
    assert (await page.request.get(f"{live.url}/docs")).ok


async def test_the_documentation_works(live: Live, open_page: OpenPage) -> None:
    """Under its Content-Security-Policy; `open_page` sees to it that nothing met that."""
    page = await open_page(f"{live.url}/docs")
    await page.locator(".opblock-post .opblock-summary-control").first.click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    await page.get_by_text("Server response").wait_for()
    await page.get_by_role("cell", name="200", exact=True).first.wait_for()


@pytest.mark.parametrize("path", ["", "docs"])
async def test_a_page_cannot_be_framed(live: Live, browser: Browser, path: str) -> None:
    page = await browser.new_page()
    try:
        async with page.expect_console_message(lambda message: message.type == "error") as refusal:
            await page.set_content(f'<iframe src="{live.url}/{path}"></iframe>')
        assert "frame-ancestors" in (await refusal.value).text
    finally:
        await page.close()
