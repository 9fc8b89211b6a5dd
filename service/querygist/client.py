"""An async client of the service.

    async with Client("http://127.0.0.1:8000") as client:
        answer = await client.summarize("who discovered penicillin", page_text, deadline=0.8)
        async for event in client.stream("who discovered penicillin", page_text):
            ...  # pieces of text (str), then the Answer
        quote = await client.summarize("who discovered penicillin", page_text, style="quote")
        for cited in quote.citations:
            ...  # quote.summary[cited.summary.start : cited.summary.end] stands in page_text at cited.sources

Failures before the first byte of an answer are tried again (connection errors, 502, 503, with full jitter) as long
as the deadline allows; after it never, so that no summary is shown twice.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from querygist.errors import QuerygistError
from querygist.event_stream import Events, Lines
from querygist.schemas import Answer, BatchLine, Problem, Style, TokenEvent

RETRIED = {502, 503}


class ProblemError(QuerygistError):
    """The service answered with a problem; `problem` says which."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem


class Client:
    """Keeps connections open between calls; one for a process is enough.

    `deadline` in seconds, for every call that names none; `retries` how often a call may be tried again; `transport`:
    httpx's, with limits, proxies or certificates of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        deadline: float = 10.0,
        retries: int = 2,
        backoff: float = 0.1,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, transport=transport)
        self._deadline = deadline
        self._retries = retries
        self._backoff = backoff

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def summarize(
        self, query: str, document: str, *, style: Style = "write", deadline: float | None = None, **options: Any
    ) -> Answer:
        """One answer. `options` are the request's other fields. Raises ProblemError, httpx.HTTPError."""
        body = {"query": query, "document": document, "style": style, **options}
        async with self._post("/summarize", body, deadline) as response:
            return Answer.model_validate_json(await response.aread())

    async def stream(
        self,
        query: str,
        document: str,
        *,
        style: Style = "write",
        deadline: float | None = None,
        first_text: float | None = None,
        **options: Any,
    ) -> AsyncGenerator[str | Answer, None]:
        """Pieces of the summary as they come, then the answer. Raises ProblemError, also in the middle.

        `first_text`: seconds, of those of the deadline, in which it begins, or there is a quote (or a problem, with
        `fallback="none"`) instead. Another attempt is made only within them.
        """
        body = {"query": query, "document": document, "style": style, "stream": True, **options}
        async with self._post("/summarize", body, deadline, first_text) as response:
            events = Events()
            async for chunk in response.aiter_bytes():
                for name, data in events.feed(chunk):
                    if name == "token":
                        yield TokenEvent.model_validate_json(data).text
                    elif name == "done":
                        yield Answer.model_validate_json(data)
                    elif name == "error":
                        raise ProblemError(Problem.model_validate_json(data))

    async def batch(
        self, query: str, documents: Iterable[Mapping[str, Any]], *, deadline: float | None = None
    ) -> AsyncGenerator[BatchLine, None]:
        """One line a document, each as soon as it is ready; a line has an answer or a problem."""
        body = {"query": query, "documents": list(documents)}
        async with self._post("/summarize/batch", body, deadline) as response:
            lines = Lines()
            async for chunk in response.aiter_bytes():
                for line in lines.feed(chunk):
                    yield BatchLine.model_validate_json(line)

    @asynccontextmanager
    async def _post(
        self, path: str, body: Mapping[str, Any], deadline: float | None, first_text: float | None = None
    ) -> AsyncGenerator[httpx.Response, None]:
        began = time.monotonic()
        ends = began + (self._deadline if deadline is None else deadline)
        begins = ends if first_text is None else min(ends, began + first_text)
        for attempt in range(self._retries + 1):
            left = ends - time.monotonic()
            headers = _milliseconds("X-Deadline-Ms", left)
            if first_text is not None:
                headers |= _milliseconds("X-First-Text-Ms", begins - time.monotonic())
            request = self._http.build_request(
                "POST", path, json=body, headers=headers,
                timeout=max(0.001, left) + 1,  # the service keeps the deadline; this is for one that cannot
            )  # fmt: skip
            last = attempt == self._retries
            try:
                response = await self._http.send(request, stream=True)
            except httpx.TransportError:
                if last or not await self._pause(attempt, begins):
                    raise
                continue
            if response.status_code in RETRIED and not last:
                await response.aread()
                await response.aclose()
                if await self._pause(attempt, begins, response):
                    continue
            break
        try:
            if response.is_error:
                raise ProblemError(problem_of(response.status_code, await response.aread()))
            yield response
        finally:
            await response.aclose()

    async def _pause(self, attempt: int, ends: float, response: httpx.Response | None = None) -> bool:
        """Wait before the next attempt; False when the deadline leaves no room for one."""
        pause = random.uniform(0, self._backoff * 2**attempt)  # noqa: S311
        if response is not None:
            told = response.headers.get("Retry-After", "")  # a proxy's may be a date: then ours
            pause = max(pause, float(told) if told.isdecimal() else 0.0)
        if time.monotonic() + pause >= ends:
            return False
        await asyncio.sleep(pause)
        return True


def _milliseconds(header: str, seconds: float) -> dict[str, str]:
    return {header: str(max(1, round(1000 * seconds)))}


def problem_of(status: int, body: bytes) -> Problem:
    """Read the problem in an answer's body; make one of the status where a proxy answered with a page of its own."""
    try:
        return Problem.model_validate_json(body)
    except ValueError:
        return Problem(type="about:blank", title=f"HTTP {status}", status=status, detail="Not from the service.")
