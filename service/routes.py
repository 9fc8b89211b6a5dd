"""The API: HTTP in, HTTP out; nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ValidationError

from service import gateway, problems
from service.deadline import Deadline
from service.errors import HttpError, InvalidRequest, NotReady, UnsupportedMediaType
from service.gateway import Gateway
from service.schemas import (
    Answer,
    BatchDocument,
    BatchLine,
    BatchRequest,
    Problem,
    SummarizeRequest,
    TokenEvent,
)

log = structlog.get_logger("querygist.routes")

T = TypeVar("T")

Here = Annotated[Gateway, Depends(gateway.of)]

LINE_SCHEMA = {"$ref": "#/components/schemas/BatchLine"}

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def admit(request: Request, here: Here, authorization: Annotated[str | None, Header()] = None) -> str:
    """Turn away what cannot be served: while shutting down, without a key, with a body that is not JSON."""
    if here.lifecycle.refusing:
        raise NotReady("This instance is shutting down. Send the request again.", retry_after=1)
    tenant = request.state.tenant = here.authenticator.tenant(authorization)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType("Send the body as JSON, with the header `Content-Type: application/json`.")
    return tenant


def deadline_of(here: Here, x_deadline_ms: Annotated[str | None, Header()] = None) -> Deadline:
    """The request's deadline: X-Deadline-Ms milliseconds from now, or the default; never later than the longest."""
    if x_deadline_ms is None:
        milliseconds = here.settings.default_deadline_ms
    elif x_deadline_ms.isascii() and x_deadline_ms.isdigit() and int(x_deadline_ms[:10]) > 0:
        milliseconds = int(x_deadline_ms[:10])
    else:
        raise InvalidRequest("X-Deadline-Ms must be a whole number of milliseconds, 1 or more, such as 800.")
    return Deadline.after(min(milliseconds, here.settings.max_deadline_ms) / 1000)


Tenant = Annotated[str, Depends(admit)]
Until = Annotated[Deadline, Depends(deadline_of)]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {problems.MEDIA_TYPE: {}}}
    for status, description in {
        400: "Malformed JSON or header",
        401: "No API key",
        403: "Unknown API key",
        413: "Body too large",
        415: "Body is not JSON",
        422: "A field is wrong, or the text cannot be summarized",
        429: "Tenant quota used up",
        503: "Overloaded, starting or draining (with `fallback: none`)",
        504: "Deadline passed (with `fallback: none`)",
    }.items()
}

router = APIRouter(responses=PROBLEMS)


@router.post("/v1/summarize", include_in_schema=False)
@router.post(
    "/summarize",
    response_model=Answer,
    openapi_extra={"responses": {"200": {"content": {"text/event-stream": {}}}}},
)
async def summarize(body: SummarizeRequest, request: Request, here: Here, tenant: Tenant, deadline: Until) -> Response:
    """Summarize what one document says about one query."""
    here.authenticator.spend(tenant, 1)
    if not body.stream:
        answer = await _while_connected(request, here.summarizer.answer(body.query, body, deadline))
        return Response(answer.model_dump_json(), media_type="application/json") if answer else _nobody()
    events = here.summarizer.stream(body.query, body, deadline)
    # The first event decides the status: until then an error is still a problem with a status of its own.
    first = await _while_connected(request, anext(events))
    if first is None:
        await events.aclose()
        return _nobody()
    return StreamingResponse(
        _server_sent(first, events, request.state.request_id),
        media_type="text/event-stream; charset=utf-8",
        headers=STREAM_HEADERS,
    )


@router.post("/v1/summarize/batch", include_in_schema=False)
@router.post(
    "/summarize/batch",
    response_class=StreamingResponse,
    openapi_extra={"responses": {"200": {"content": {"application/x-ndjson": {"schema": LINE_SCHEMA}}}}},
)
async def summarize_batch(
    body: BatchRequest, request: Request, here: Here, tenant: Tenant, deadline: Until
) -> Response:
    """Summarize a results page: one line of NDJSON a document, each as soon as it is ready."""
    here.authenticator.spend(tenant, len(body.documents))
    return StreamingResponse(
        _as_ready(body, here, deadline, request.state.request_id),
        media_type="application/x-ndjson",
        headers=STREAM_HEADERS,
    )


async def _server_sent(
    first: str | Answer, rest: AsyncGenerator[str | Answer, None], request_id: str
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(rest):
        try:
            yield _event(first)
            async for event in rest:
                yield _event(event)
        except HttpError as error:
            yield _sse("error", problems.problem_of(error, request_id))


def _event(event: str | Answer) -> bytes:
    return _sse("done", event) if isinstance(event, Answer) else _sse("token", TokenEvent(text=event))


def _sse(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json(exclude_none=isinstance(data, Problem)))


async def _as_ready(
    body: BatchRequest, here: Gateway, deadline: Deadline, request_id: str
) -> AsyncGenerator[bytes, None]:
    """One line a document, in the order they finish; no more at once than the engine has places."""
    places = asyncio.Semaphore(here.settings.max_in_flight)

    async def one(line_id: str, fields: dict[str, Any], duplicate: bool) -> BatchLine:
        try:
            if duplicate:
                raise InvalidRequest(f"Two documents have the id {line_id!r}. Give each its own.")
            document = BatchDocument.model_validate(fields)
            async with places:
                return BatchLine(id=line_id, answer=await here.summarizer.answer(body.query, document, deadline))
        except ValidationError as error:
            invalid = RequestValidationError(error.errors(include_input=False, include_url=False))
            return BatchLine(id=line_id, problem=problems.validation_problem(invalid, request_id))
        except HttpError as error:
            return BatchLine(id=line_id, problem=problems.problem_of(error, request_id))
        except Exception as error:  # one document's bad luck is not the others'
            log.error("document_crashed", request_id=request_id, exc_info=error)
            return BatchLine(id=line_id, problem=problems.internal_problem(request_id))

    ids = [_line_id(number, fields) for number, fields in enumerate(body.documents)]
    tasks = [
        asyncio.create_task(one(line_id, fields, line_id in ids[:number]))
        for number, (line_id, fields) in enumerate(zip(ids, body.documents, strict=True))
    ]
    try:
        for ready in asyncio.as_completed(tasks):
            yield (await ready).model_dump_json(exclude_none=True).encode() + b"\n"
    finally:
        for task in tasks:
            task.cancel()


def _line_id(number: int, fields: dict[str, Any]) -> str:
    """The document's own id; one without a usable id is told apart by its place."""
    given = fields.get("id")
    return given if isinstance(given, str) and given else f"#{number}"


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns, or None when the client left first; `work` is cancelled then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _nobody() -> Response:
    """Answers a client that has left: nginx's 499, seen by the log only."""
    return Response(status_code=499)
