"""Every error as an RFC 9457 problem. Nothing of the query or the document, and no stack trace, gets into one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from querygist.errors import HttpError, InvalidFields, InvalidRequest
from querygist.schemas import Problem

MEDIA_TYPE = "application/problem+json"

TITLES = {
    404: ("not-found", "There is nothing at this address"),
    405: ("method-not-allowed", "This address does not take this method"),
    500: ("internal", "Something went wrong in the service"),
}

DETAILS = {
    404: "Summaries are at POST /summarize and POST /summarize/batch; the documentation is at /docs, where there is an "
    "operations port on that one.",
    405: "Use one of the methods in the Allow header.",
    500: "The failure was logged under this request id. Trying again may help.",
}

MOST_ERRORS = 20

MENDING = {
    "extra_forbidden": "is not a field of this request; see /docs for those that are",
    "string_unicode": "contains half a character (a lone UTF-16 surrogate); send valid Unicode",
    "missing": "is missing",
}


def problem_of(error: HttpError, request_id: str | None) -> Problem:
    """The problem that tells an HttpError."""
    return _problem(error.status, error.slug, error.title, error.detail, request_id, error.errors)


def invalid_fields(items: Sequence[Mapping[str, Any]]) -> InvalidFields:
    """Return pydantic's errors as the fields that are wrong, and how."""
    errors = [
        {
            "field": ".".join(str(part)[:64] for part in item["loc"] if part != "body") or "body",
            "message": _message(item),
        }
        for item in items[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:5])
    return InvalidFields(detail, errors=errors)


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as an HTTP response."""
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, problem.status, dict(headers or {}), MEDIA_TYPE)


def error_response(error: HttpError, request_id: str | None) -> Response:
    """An HttpError as an HTTP response, with Retry-After (whole seconds) where it has one."""
    headers = dict(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response(problem_of(error, request_id), headers)


def internal_problem(request_id: str | None) -> Problem:
    """A failure of ours, told without its particulars."""
    return _problem(500, *TITLES[500], DETAILS[500], request_id)


def not_found(request_id: str | None) -> Response:
    """A path that is not on this port."""
    return response(_problem(404, *TITLES[404], DETAILS[404], request_id))


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""

    @app.exception_handler(HttpError)
    async def known(request: Request, error: HttpError) -> Response:
        return error_response(error, request.state.request_id)

    @app.exception_handler(HTTPException)
    async def from_framework(request: Request, error: HTTPException) -> Response:
        slug, title = TITLES.get(error.status_code, (InvalidRequest.slug, InvalidRequest.title))
        detail = DETAILS.get(error.status_code, error.detail)
        return response(_problem(error.status_code, slug, title, detail, request.state.request_id), error.headers)


def _problem(
    status: int,
    slug: str,
    title: str,
    detail: str,
    request_id: str | None,
    errors: list[dict[str, str]] | None = None,
) -> Problem:
    kind = f"urn:querygist:problem:{slug}"
    return Problem(type=kind, title=title, status=status, detail=detail, request_id=request_id, errors=errors)


def _message(item: Mapping[str, Any]) -> str:
    return MENDING.get(item["type"], str(item["msg"]))
