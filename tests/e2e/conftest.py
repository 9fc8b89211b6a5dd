"""Debian's Chromium, driven by Playwright: one browser for the whole run, a fresh window for each page."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from querygist.engines.base import Identity
from querygist.engines.fake import FakeEngine
from querygist.prompting.tokenizer import Tokenizer
from tests.conftest import missing

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",  # Chromium's sandbox refuses to run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OpenPage = Callable[..., Awaitable[Page]]
Says = Callable[..., FakeEngine]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser, None]:
    if not CHROMIUM.exists():
        missing("no /usr/bin/chromium: apt-get install chromium")
    expect.set_options(timeout=10_000)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield chromium
        finally:
            await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncGenerator[OpenPage, None]:
    """`await open_page(url, script=..., **window)`: the page at `url`, after `script` ran in it.

    Whatever the test did, the page must not have failed, met its Content-Security-Policy, or asked another host.
    """
    faults: list[str] = []
    hosts: set[str] = set()
    allowed: set[str] = set()
    async with contextlib.AsyncExitStack() as windows:

        async def opened(url: str, script: str | None = None, **window: Any) -> Page:
            allowed.add(urlsplit(url).netloc)
            context = await browser.new_context(**{"reduced_motion": "reduce"} | window)
            windows.push_async_callback(context.close)
            page = await context.new_page()
            page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            if script:
                await page.add_init_script(script)
            await page.goto(url)
            return page

        yield opened
    assert hosts <= allowed | {""}, "the page asked another host"
    # What Chromium itself logs of a request that a test lets fail on purpose.
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []


@pytest.fixture
def says(identity: Identity, tokenizer: Tokenizer) -> Says:
    """`says(text, **script)`: an engine that replies with `text` to everything."""

    def engine(text: str, **script: Any) -> FakeEngine:
        ids = tokenizer.encode(text)
        return FakeEngine(identity, lambda _: ids, **script)

    return engine
