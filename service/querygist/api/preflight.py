"""Rejects requests before their route begins: by their headers, before the body is read, or by their body."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from querygist.api import bodies, problems, state
from querygist.api.quotas import cost_of
from querygist.api.state import AppState
from querygist.deadline import Deadline
from querygist.errors import InvalidRequest, NotReady, UnsupportedMediaType
from querygist.pipeline.fair_queue import Caller


async def _app_state(request: Request) -> AppState:
    return state.of(request)


State = Annotated[AppState, Depends(_app_state)]
"""The gateway, for a route. By way of a coroutine: FastAPI hands plain functions to a thread, for every request."""

HEADERS = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": description,
    }
    for name, description in {
        "X-Deadline-Ms": "How long the caller will wait, in whole milliseconds",
        "X-First-Text-Ms": "How long, of that, for a stream to begin",
        "X-Request-Id": "Comes back with the answer and stands in the log",
        "traceparent": "W3C trace context; its trace id stands in the log",
        "Authorization": "`Bearer KEY`, where keys are required",
    }.items()
]


class AdmittingRoute(APIRoute):
    """Looks at the headers before the body is read, reads it as FastAPI would not (within limits, piece by piece), and
    counts whatever keeps a request from its route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's hook for this."""
        handle = super().get_route_handler()

        async def handle_admitted(request: Request) -> Response:
            app_state = state.of(request)
            with app_state.metrics.count_refusal():
                _admit(request, app_state)
                try:
                    request = await bodies.read(request, request.state.deadline)
                except ClientDisconnect:
                    app_state.metrics.count_left()
                    return client_closed_request()
            try:
                return await handle(request)
            except RequestValidationError as error:
                with app_state.metrics.count_refusal():
                    raise problems.invalid_fields(error.errors()) from error

        return handle_admitted


def _admit(request: Request, app_state: AppState) -> None:
    """Start the clock, and turn away what cannot be served: while draining, without a key, a body that is not JSON."""
    headers = request.headers
    request.state.deadline, request.state.stream_deadline = _deadlines(app_state, headers)
    if app_state.lifecycle.refusing:
        raise NotReady("This instance is shutting down. Send the request again.", retry_after=1)
    request.state.known = app_state.authenticator.authenticate(headers.get("authorization"))
    request.state.tenant = request.state.known.name
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType("Send the body as JSON, with the header `Content-Type: application/json`.")


def _deadlines(app_state: AppState, headers: Headers) -> tuple[Deadline, Deadline]:
    """For a whole answer X-Deadline-Ms from now, or the default; never later than the longest. For a stream the same,
    and its first text by X-First-Text-Ms."""
    milliseconds = _milliseconds(headers, "X-Deadline-Ms") or app_state.settings.default_deadline_ms
    whole = Deadline.after(min(milliseconds, app_state.settings.max_deadline_ms) / 1000)
    first_text = _milliseconds(headers, "X-First-Text-Ms")
    return whole, whole if first_text is None else Deadline(whole.at, Deadline.after(first_text / 1000).at)


def _milliseconds(headers: Headers, name: str) -> int | None:
    given = headers.get(name)
    if given is None:
        return None
    if given.isascii() and given.isdigit() and int(given[:10]) > 0:
        return int(given[:10])
    raise InvalidRequest(f"{name} must be a whole number of milliseconds, 1 or more, such as 800.")


def client_closed_request() -> Response:
    """Answers a client that has left: nginx's 499, seen by the log only."""
    return Response(status_code=499)


async def admitted(
    request: Request, app_state: AppState, documents: Sequence[str], *, interactive: bool = True
) -> Caller:
    """Take what these documents cost from the tenant's quota; return who asks. Raises QuotaExceeded."""
    with app_state.metrics.count_refusal(len(documents)):
        cost = sum(map(cost_of, documents))
        return await app_state.authenticator.admit(request.state.known, cost, interactive=interactive)
