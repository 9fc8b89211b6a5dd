"""The page on the real model."""

import pytest
from playwright.async_api import expect

from tests.conftest import Live
from tests.e2e.asking import answer_on, marks_on
from tests.e2e.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_first_example_is_answered_by_the_model(embedded_server: Live, open_page: OpenPage) -> None:
    page = await open_page(embedded_server.url)
    await page.get_by_role("button", name="Penicillin").click()
    await expect(page.get_by_text("generative", exact=True)).to_be_visible(timeout=60_000)
    answer = await answer_on(page)
    assert await page.locator("#summary").text_content() == answer.summary
    await marks_on(page, answer, await page.locator("#document").input_value())
