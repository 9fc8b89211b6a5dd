"""Send one request and read its answer as it comes: blocking, for Locust, whose gevent makes it wait for others."""

import logging
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import httpx

from loadtest.load.results import FAILURES, Result, Since, Timer
from loadtest.load.traffic import Ask
from querygist.client import ProblemError, problem_of
from querygist.errors import ConfigurationError
from querygist.event_stream import Events, Lines
from querygist.schemas import Answer, BatchLine, Problem

IDLE_SECONDS = 2.0
"""An idle connection is not used again after this: the server would close it soon (uvicorn: after 5 s), maybe in the
very moment of the request."""


def connect(url: str, headers: Mapping[str, str], timeout: float) -> httpx.Client:
    """Connections to one server, as many at once as there are requests; `timeout` in seconds without a byte.

    Raises ConfigurationError for what is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"{url!r} is no address of a server. Give one such as http://127.0.0.1:8000.")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Locust shows INFO, and httpx tells of each request there
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
    return httpx.Client(base_url=url, headers=headers, timeout=timeout, limits=limits, trust_env=False)


def ask(client: httpx.Client, wanted: Ask, *, arrival: float, since: Since) -> list[Result]:
    """One result for each summary that was asked for; those that never came say why."""
    timer, found = Timer(wanted.kind, arrival, since), []
    try:
        with client.stream("POST", wanted.path, json=wanted.body) as response:
            if response.status_code != 200:
                raise ProblemError(problem_of(response.status_code, response.read()))
            for result in _READERS[wanted.kind](response, timer):
                found.append(result)
        raise EOFError
    except FAILURES as error:
        return found + [timer.failed(error)] * (wanted.summaries - len(found))


def _json(response: httpx.Response, timer: Timer) -> Iterator[Result]:
    body, now = response.read(), timer.since()
    yield timer.answered(Answer.model_validate_json(body), now)


def _stream(response: httpx.Response, timer: Timer) -> Iterator[Result]:
    events, pieces = Events(), list[float]()
    for chunk in response.iter_bytes():
        now = timer.since()
        for name, data in events.feed(chunk):
            if name == "token":
                pieces.append(now)
            elif name == "done":
                yield timer.answered(Answer.model_validate_json(data), now, pieces)
            elif name == "error":
                raise ProblemError(Problem.model_validate_json(data))


def _page(response: httpx.Response, timer: Timer) -> Iterator[Result]:
    lines = Lines()
    for chunk in response.iter_bytes():
        now = timer.since()
        for line in map(BatchLine.model_validate_json, lines.feed(chunk)):
            if line.answer:
                yield timer.answered(line.answer, now)
            elif line.problem:
                yield timer.failed(ProblemError(line.problem))


_READERS = {"json": _json, "stream": _stream, "page": _page}
