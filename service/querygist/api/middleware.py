"""Around every request: its id, its log line, and an answer whatever happens inside. Pure ASGI, because
Starlette's BaseHTTPMiddleware stands between a stream and its client.
"""

import re
import time
import uuid

import structlog
from opentelemetry.trace import Tracer
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from querygist.api import problems
from querygist.api.lifecycle import Lifecycle
from querygist.api.security_headers import harden
from querygist.tracing import OFF, request_span, trace_id_of, tracer_of

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
"""The methods that are logged: another may be any word."""

QUIET = {"/livez", "/readyz", "/metrics"}
"""Probed every few seconds: logged at debug level."""

log = structlog.get_logger("querygist.access")


class RequestMiddleware:
    """Sets `scope["state"]["request_id"]`, echoes it, logs the outcome, and turns any crash into a 500 problem."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, tracer: Tracer) -> None:
        self.app = app
        self.lifecycle = lifecycle
        self.tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.monotonic(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                harden(headers, scope["path"].removeprefix(scope.get("root_path", "")))
                if self.lifecycle.refusing:
                    headers["Connection"] = "close"
            await send(message)

        self.lifecycle.in_flight += 1
        method = scope["method"] if scope["method"] in METHODS else "invalid"
        if method == "HEAD":  # answered as a GET: uvicorn, which keeps the scope it made, leaves the body out
            scope = {**scope, "method": "GET"}
        tracer = tracer_of(OFF) if scope["path"].removeprefix(scope.get("root_path", "")) in QUIET else self.tracer
        with request_span(tracer, method, headers) as span:
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                log.error("request_crashed", request_id=request_id, exc_info=error)
                if not status:
                    crash = problems.response(problems.internal_problem(request_id))
                    await crash(scope, receive, send_with_id)
            finally:
                self.lifecycle.in_flight -= 1
                # The route's template: a path nobody routes may carry anything, so it is not repeated.
                route = getattr(scope.get("route"), "path", "unmatched")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                span.set_attribute("querygist.request_id", request_id)
                trace_id = trace_id_of(span, headers)
                log.log(
                    10 if route in QUIET else 20,
                    "request",
                    request_id=request_id,
                    method=method,
                    route=route,
                    status=status or "client left",
                    milliseconds=round(1000 * (time.monotonic() - started), 1),
                    tenant=scope["state"].get("tenant"),
                    **({"trace_id": trace_id} if trace_id else {}),
                )
