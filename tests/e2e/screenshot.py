"""The README's picture, of a running service: python -m tests.e2e.screenshot http://127.0.0.1:8000 docs/page.png"""

import sys

from playwright.sync_api import expect, sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM


def main(url: str, out: str) -> None:
    """Run the first example and take the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.goto(url)
        page.get_by_role("button", name="Penicillin").click()
        expect(page.get_by_text("generative", exact=True)).to_be_visible(timeout=60_000)
        page.screenshot(path=out, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
