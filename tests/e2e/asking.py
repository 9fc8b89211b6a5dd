"""What the browser tests ask, and how they read the page's answer."""

import asyncio
import re
from typing import Any

from playwright.async_api import Page, expect

from querygist.schemas import Answer, Citation, ModelName, Span, TextSpan, Timings, Usage

DOCUMENT = (
    "Honey keeps for years. It holds so little water that bacteria cannot live in it. Bees dry the nectar with their "
    "wings before they close the cell. In 2003 archaeologists in Georgia found honey that was thousands of years old."
)
REPLY = "Honey keeps for years. It holds so little water that bacteria cannot live in it."
QUERY = "why does honey not spoil"


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


async def ask(page: Page, query: str = QUERY, document: str = DOCUMENT) -> None:
    await page.get_by_label("Query").fill(query)
    await page.get_by_label("Document", exact=True).fill(document)
    await page.get_by_role("button", name="Summarize").click()


async def answer_on(page: Page) -> Answer:
    """The answer shown, once it is complete."""
    await expect(page.locator("#result")).to_be_visible()
    return Answer.model_validate_json(await page.locator("#raw").text_content() or "")


async def marks_on(page: Page, answer: Answer, text: str) -> list[str]:
    """The highlighted pieces, checked against `text`, whose characters Python counts as the contract does."""
    assert await page.locator("#view").text_content() == text
    marks = await page.locator("#view mark").all_text_contents()
    assert marks == [text[span.start : span.end] for span in answer.sources]
    return marks


def cited(start: int, end: int, *sources: tuple[int, int], support: Any = "verbatim") -> Citation:
    spans = [Span(start=first, end=last) for first, last in sources]
    return Citation(summary=TextSpan(start=start, end=end), sources=spans, support=support)


def answer(summary: str, *citations: Citation, **fields: Any) -> Answer:
    """An answer as the service would give it."""
    usual: dict[str, Any] = {
        "id": "1", "summary": summary, "answerable": True, "method": "generative", "cached": False,
        "citations": list(citations), "sources": [span for one in citations for span in one.sources], "copied": 1.0,
        "score": 0.9, "model": ModelName(name="m", version="1"),
        "usage": Usage(prompt_tokens=1, completion_tokens=1, truncated=False),
        "timings_ms": Timings(queue=0, first_token=1, total=2),
    }  # fmt: skip
    return Answer.model_validate(usual | fields)


async def give(page: Page, answer: Answer) -> None:
    """Have the service give this answer to whatever the page asks."""
    body = f"event: done\ndata: {answer.model_dump_json()}\n\n"
    await page.route("**/summarize", lambda route: route.fulfill(content_type="text/event-stream", body=body))


def release(gate: asyncio.Semaphore, passes: int) -> None:
    """Let a gated engine take that many passes."""
    for _ in range(passes):
        gate.release()
