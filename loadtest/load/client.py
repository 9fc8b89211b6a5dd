"""Send one request and read its answer as it comes: blocking, for threads, and for Locust with gevent's greenlets.

urllib3, as Locust's own HttpUser: httpx took 4 ms of CPU a request with 256 in flight, mostly to look through its
connections, which would be measured as the server's.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from loadtest.load.results import FAILURES, Result, Since, Timer
from loadtest.load.traffic import Ask
from querygist.client import ProblemError, problem_of
from querygist.errors import ConfigurationError
from querygist.event_stream import Events, Lines
from querygist.schemas import Answer, BatchLine, Problem

GRACE_SECONDS = 5.0
"""A server that says nothing for this long after the deadline has failed."""

MOST_IDLE = 10_000
"""Connections that are kept open."""


class Connections:
    """To one server, as many at once as there are requests; `timeout` in seconds without a byte.

    Raises ConfigurationError for what is no address.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no address of a server. Give one such as http://127.0.0.1:8000.")
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", **headers}
        self._pool = urllib3.PoolManager(maxsize=MOST_IDLE, timeout=timeout, retries=False)

    def post(self, path: str, body: Mapping[str, Any]) -> urllib3.BaseHTTPResponse:
        """POST as JSON; the response's head has come. Raises urllib3's HTTPError."""
        return self._pool.request("POST", self._url + path, json=body, headers=self._headers, preload_content=False)

    def close(self) -> None:
        """Close those that are idle."""
        self._pool.clear()


def ask(connections: Connections, wanted: Ask, *, arrival: float, since: Since) -> list[Result]:
    """One result for each summary that was asked for; those that never came say why."""
    timer, found = Timer(wanted.kind, arrival, since), []
    try:
        with connections.post(wanted.path, wanted.body) as response:
            if response.status != 200:
                raise ProblemError(problem_of(response.status, response.read()))
            for result in _READERS[wanted.kind](response, timer):
                found.append(result)
        raise EOFError
    except FAILURES as error:
        return found + [timer.failed(error)] * (wanted.summaries - len(found))


def _json(response: urllib3.BaseHTTPResponse, timer: Timer) -> Iterator[Result]:
    body, now = response.read(), timer.since()
    yield timer.answered(Answer.model_validate_json(body), now)


def _stream(response: urllib3.BaseHTTPResponse, timer: Timer) -> Iterator[Result]:
    events, pieces = Events(), list[float]()
    for chunk in response.stream():
        now = timer.since()
        for name, data in events.feed(chunk):
            if name == "token":
                pieces.append(now)
            elif name == "done":
                yield timer.answered(Answer.model_validate_json(data), now, pieces)
            elif name == "error":
                raise ProblemError(Problem.model_validate_json(data))


def _page(response: urllib3.BaseHTTPResponse, timer: Timer) -> Iterator[Result]:
    lines = Lines()
    for chunk in response.stream():
        now = timer.since()
        for line in map(BatchLine.model_validate_json, lines.feed(chunk)):
            if line.answer:
                yield timer.answered(line.answer, now)
            elif line.problem:
                yield timer.failed(ProblemError(line.problem))


_READERS = {"json": _json, "stream": _stream, "page": _page}
