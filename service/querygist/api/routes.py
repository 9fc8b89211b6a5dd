"""The API: HTTP in, HTTP out; nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ValidationError

from querygist.api import problems
from querygist.api.preflight import HEADERS, AdmittingRoute, State, admitted, client_closed_request
from querygist.api.state import AppState
from querygist.deadline import Deadline
from querygist.errors import HttpError, InvalidRequest
from querygist.pipeline.fair_queue import Caller
from querygist.schemas import (
    Answer,
    BatchDocument,
    BatchId,
    BatchLine,
    BatchRequest,
    Problem,
    SummarizeRequest,
    TokenEvent,
)

log = structlog.get_logger("querygist.routes")

T = TypeVar("T")

LINE_SCHEMA = {"$ref": "#/components/schemas/BatchLine"}

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {problems.MEDIA_TYPE: {}}}
    for status, description in {
        400: "Malformed JSON or header",
        401: "No API key",
        403: "Unknown API key",
        408: "The body did not come before the deadline",
        413: "Body too large",
        415: "Body is not JSON, or of another content coding than gzip and deflate",
        422: "A field is wrong, or the text cannot be summarized",
        429: "Tenant quota used up",
        503: "Draining; with `fallback: none` also overloaded, starting or without an engine",
        504: "Deadline passed (with `fallback: none`)",
    }.items()
}

router = APIRouter(responses=PROBLEMS, route_class=AdmittingRoute)


@router.post("/v1/summarize", include_in_schema=False)
@router.post(
    "/summarize",
    response_model=Answer,
    openapi_extra={"parameters": HEADERS, "responses": {"200": {"content": {"text/event-stream": {}}}}},
)
async def summarize(body: SummarizeRequest, request: Request, app_state: State) -> Response:
    """Summarize what one document says about one query."""
    caller = await admitted(request, app_state, [body.document])
    if not body.stream:
        answering = app_state.summarizer.answer(body.query, body, request.state.deadline, caller)
        answer = await _while_connected(request, answering)
        return Response(answer.model_dump_json(), media_type="application/json") if answer else client_closed_request()
    events = app_state.summarizer.stream(body.query, body, request.state.stream_deadline, caller)
    # The first event decides the status: until then an error is still a problem with a status of its own.
    first = await _while_connected(request, anext(events))
    if first is None:
        await events.aclose()
        return client_closed_request()
    return StreamingResponse(
        _server_sent(first, events, request.state.request_id),
        media_type="text/event-stream; charset=utf-8",
        headers=STREAM_HEADERS,
    )


@router.post("/v1/summarize/batch", include_in_schema=False)
@router.post(
    "/summarize/batch",
    response_class=StreamingResponse,
    openapi_extra={
        "parameters": HEADERS,
        "responses": {"200": {"content": {"application/x-ndjson": {"schema": LINE_SCHEMA}}}},
    },
)
async def summarize_batch(body: BatchRequest, request: Request, app_state: State) -> Response:
    """Summarize a results page: one line of NDJSON a document, each as soon as it is ready."""
    caller = await admitted(request, app_state, [_text(fields) for fields in body.documents], interactive=False)
    return StreamingResponse(
        _as_ready(body, app_state, request.state.deadline, caller, request.state.request_id),
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
        except Exception as error:
            log.error("stream_crashed", request_id=request_id, exc_info=error)
            yield _sse("error", problems.internal_problem(request_id))


def _event(event: str | Answer) -> bytes:
    return _sse("done", event) if isinstance(event, Answer) else _sse("token", TokenEvent(text=event))


def _sse(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json(exclude_none=isinstance(data, Problem)))


async def _as_ready(
    body: BatchRequest, app_state: AppState, deadline: Deadline, caller: Caller, request_id: str
) -> AsyncGenerator[bytes, None]:
    """One line a document, in the order they finish; no more at once than the engine has places."""
    places = asyncio.Semaphore(app_state.summarizer.places)

    async def one(line_id: str, fields: object, duplicate: bool) -> BatchLine:
        try:
            with app_state.metrics.count_refusal():
                document = _document(fields, duplicate)
            async with places:
                answer = await app_state.summarizer.answer(body.query, document, deadline, caller)
                return BatchLine(id=line_id, answer=answer)
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


def _document(fields: object, duplicate: bool) -> BatchDocument:
    """One document of a batch. Raises RequestError."""
    try:
        document = BatchDocument.model_validate(fields)
    except ValidationError as error:
        raise problems.invalid_fields(error.errors(include_input=False, include_url=False)) from error
    if duplicate:
        raise InvalidRequest("Two documents have this id. Give each its own.")
    return document


def _text(fields: object) -> str:
    """The text of a batch's document, for its cost; "" where there is none."""
    text = fields.get("document") if isinstance(fields, dict) else None
    return text if isinstance(text, str) else ""


def _line_id(number: int, fields: object) -> str:
    """The document's own id; one without a usable id is told apart by its place."""
    try:
        return BatchId.validate_python(fields["id"])  # type: ignore[index]
    except (TypeError, KeyError, ValidationError):
        return f"#{number}"


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` returns, or None when the client left first; `work` is cancelled then."""
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
