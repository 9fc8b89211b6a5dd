"""Send one request and read its answer as it comes."""

from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPException, HTTPResponse

from pydantic import ValidationError

from loadtest.load.connections import Connections, chunks
from loadtest.load.results import Result
from loadtest.load.traffic import Ask
from querygist.event_stream import Events, Lines
from querygist.schemas import Answer, BatchLine, Problem

Since = Callable[[], float]
"""Seconds since the intended moment of the request."""


class Failed(Exception):
    """The server said that there will be no answer; the argument says why."""


def ask(connections: Connections, wanted: Ask, *, arrival: float, since: Since) -> list[Result]:
    """One result for each summary that was asked for; those that never came say why."""
    answered = partial(Result, kind=wanted.kind, arrival=arrival, send_lag=since())
    found = []
    try:
        with connections.post(wanted.path, wanted.body) as response:
            if response.status != 200:
                raise Failed(_reason(response.read(), response.status))
            for result in _READERS[wanted.kind](response, since, answered):
                found.append(result)
        failure = "cut-off"
    except Failed as error:
        failure = str(error)
    except TimeoutError:
        failure = "timeout"
    except ValueError:
        failure = "unreadable"
    except (OSError, HTTPException):
        failure = "connection"
    return found + [answered(e2el=since(), outcome=failure)] * (wanted.summaries - len(found))


def _json(response: HTTPResponse, since: Since, answered: "partial[Result]") -> Iterator[Result]:
    body, now = response.read(), since()
    answer = Answer.model_validate_json(body)
    yield answered(e2el=now, outcome=answer.method, cached=answer.cached)


def _stream(response: HTTPResponse, since: Since, answered: "partial[Result]") -> Iterator[Result]:
    events, pieces, first, last = Events(), 0, None, 0.0
    for chunk in chunks(response):
        now = since()
        for name, data in events.feed(chunk):
            if name == "token":
                first = now if first is None else first
                pieces, last = pieces + 1, now
            elif name == "done":
                answer = Answer.model_validate_json(data)
                yield answered(
                    e2el=now,
                    outcome=answer.method,
                    cached=answer.cached,
                    ttft=first,
                    itl=(last - first) / (pieces - 1) if first is not None and pieces > 1 else None,
                )
            elif name == "error":
                raise Failed(_reason(data.encode(), response.status))


def _page(response: HTTPResponse, since: Since, answered: "partial[Result]") -> Iterator[Result]:
    lines = Lines()
    for chunk in chunks(response):
        now = since()
        for line in map(BatchLine.model_validate_json, lines.feed(chunk)):
            if line.answer:
                yield answered(e2el=now, outcome=line.answer.method, cached=line.answer.cached)
            else:
                yield answered(e2el=now, outcome=_slug(line.problem))


_READERS = {"json": _json, "stream": _stream, "page": _page}


def _reason(body: bytes, status: int) -> str:
    try:
        return _slug(Problem.model_validate_json(body))
    except ValidationError:  # a proxy's own error page
        return f"http-{status}"


def _slug(problem: Problem | None) -> str:
    return problem.type.rpartition(":")[2] if problem else "unreadable"
