"""Connections: how many there may be, how much of one is read at once, and how long one may be without a request.

uvicorn bounds a header (`h11_max_incomplete_event_size`, 16 kB, looked at after each read) and closes idle keep-alive
connections, and has no other limit. How long a body may take is for `bodies` to say.
"""

import asyncio
import resource
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from querygist.api import problems
from querygist.errors import HttpError, Overloaded, RequestTimeout
from querygist.metrics import Metrics

log = structlog.get_logger("querygist.connections")

READ_BYTES = 8 * 1024
"""Most bytes of one read; libuv reads up to 32 times in one turn of the event loop. uvloop would read 256,000 at once:
as header lines, a header sixteen times its limit."""

MAX_LINES = READ_BYTES // 32
"""Most lines handed to h11 at once, and most in one read of a chunked body, where a chunk has two. A chunk costs h11
13 us, and nobody sends text in such short ones."""

CHUNKED = (b"transfer-encoding", b"chunked")

HEADER_SECONDS = 10.0
"""Longest time without a request: until the first header is complete, and from each answer to the next header."""

REFUSED_SECONDS = 2.0
"""Time for a refused client to read why: closing at once would reset the connection under what it has sent."""

MAX_REFUSED = 64
"""Refused connections that get that time; more are reset."""

MAX_OPERATIONS = 32
"""Connections to the operations port beyond the most there may be: probes must get through when clients do not."""

OTHER_FILES = 128
"""File descriptors kept for everything else: listening, engine, Redis, traces, the page."""

LOG_SECONDS = 10.0


def fit_open_files(max_connections: int) -> int:
    """Return how many connections the limit of open files allows, of `max_connections`; raises the soft limit if the
    hard one lets it.
    """
    others = MAX_REFUSED + MAX_OPERATIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_connections + others
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    fitting = max_connections if soft == resource.RLIM_INFINITY else max(1, min(max_connections, soft - others))
    if fitting < max_connections:
        log.warning(
            "max_connections_lowered",
            max_connections=max_connections,
            lowered_to=fitting,
            open_files=soft,
            open_files_needed=needed,
        )
    return fitting


class Connections:
    """All connections of one server. `request_seconds`: the longest that a request takes; one that takes longer has a
    client that does not read its answer. `operations_port`: see `settings`.
    """

    def __init__(
        self, max_connections: int, request_seconds: float, metrics: Metrics, *, operations_port: int | None = None
    ) -> None:
        self.max_connections = max_connections
        self.operations_port = operations_port
        self.request_seconds = request_seconds
        self.metrics = metrics
        self.serving: set[Connection] = set()
        self.refused: set[Connection] = set()
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._unlogged: Counter[str] = Counter()
        self._logged: dict[str, float] = {}

    def protocol(self, **uvicorn_arguments: Any) -> "Connection":
        """Called by uvicorn for each connection."""
        return Connection(self, H11Protocol(**uvicorn_arguments))

    def close_overdue(self) -> None:
        """Close the connections that take too long; to be called every second or so."""
        now = time.monotonic()
        for connection in [*self.serving, *self.refused]:
            connection.close_if_overdue(now)

    def drop_unfinished_bodies(self) -> None:
        """End the requests whose body is still to come: nobody will read it."""
        for connection in [*self.serving]:
            connection.drop_unfinished_body()

    def count_refused(self, reason: str) -> None:
        """Count a refused connection; logs those of one reason together, at most every LOG_SECONDS."""
        self.metrics.connections_refused.labels(reason).inc()
        self._unlogged[reason] += 1
        now = time.monotonic()
        if now - self._logged.get(reason, float("-inf")) >= LOG_SECONDS:
            log.warning(
                "connections_refused",
                reason=reason,
                refused=self._unlogged.pop(reason),
                open=len(self.serving),
                max_connections=self.max_connections,
            )
            self._logged[reason] = now


class Connection(asyncio.BufferedProtocol):
    """One connection: uvicorn's protocol, which gets what is read in small pieces."""

    def __init__(self, connections: Connections, http: H11Protocol) -> None:
        self._all = connections
        self._http = http
        self._state: tuple[RequestResponseCycle | None, bool] = (None, True)
        self._since = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Serve it, or answer 503 while there are too many."""
        self._transport = transport
        name = transport.get_extra_info("sockname")
        on_operations_port = isinstance(name, tuple) and name[1] == self._all.operations_port
        if len(self._all.serving) < self._all.max_connections + MAX_OPERATIONS * on_operations_port:
            self._all.serving.add(self)
            self._all.metrics.open_connections.set(len(self._all.serving))
            self._http.connection_made(transport)
            return
        self._all.count_refused("limit")
        if len(self._all.refused) >= MAX_REFUSED:
            transport.abort()
            return
        self._all.refused.add(self)
        full = f"This instance has {self._all.max_connections} connections open, as many as it takes."
        transport.write(_response(Overloaded(f"{full} Try again, or try another instance.", retry_after=1)))
        transport.write_eof()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """All connections share one buffer: it is emptied before the event loop does anything else."""
        return self._all.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what was read; what a refused client sends is read and dropped."""
        if self not in self._all.serving or self._transport.is_closing():
            return
        data = bytes(self._all.buffer[:nbytes])
        while data and not self._transport.is_closing():
            end = len(data) if self._length_is_known() else _end_of_lines(data)
            self._http.data_received(data[:end])
            data = data[end:]
            if data and not self._waiting() and not self._length_is_known():
                self._all.count_refused("chunks")
                self._transport.abort()

    def _waiting(self) -> bool:
        """True while no request is under way: a header is to come."""
        request = self._http.cycle
        return request is None or (request.response_complete and not request.more_body)

    def _length_is_known(self) -> bool:
        """True while a body with a Content-Length comes in."""
        request = self._http.cycle
        return request is not None and request.more_body and CHUNKED not in request.scope["headers"]

    def eof_received(self) -> None:
        """Let the transport close itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self in self._all.serving:
            self._all.serving.remove(self)
            self._all.metrics.open_connections.set(len(self._all.serving))
            self._http.connection_lost(exc)
        self._all.refused.discard(self)

    def pause_writing(self) -> None:
        """Pass on the transport's word."""
        if self in self._all.serving:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass on the transport's word."""
        if self in self._all.serving:
            self._http.resume_writing()

    def close_if_overdue(self, now: float) -> None:
        """Close it if it has been without a request for too long, or with one. Answers half a header with a 408."""
        if self in self._all.refused:
            if now - self._since > REFUSED_SECONDS:
                self._transport.close()
            return
        request = self._http.cycle
        waiting = request is None or request.response_complete
        if (request, waiting) != self._state:
            self._state, self._since = (request, waiting), now
        elif now - self._since <= (HEADER_SECONDS if waiting else self._all.request_seconds):
            return
        elif not waiting:
            self._all.count_refused("timeout")
            self._transport.abort()
        elif not self._transport.is_closing():
            self._all.count_refused("timeout")
            if self._http.conn.trailing_data[0] and (request is None or not request.more_body):
                self._transport.write(_response(RequestTimeout(f"No whole header came in {HEADER_SECONDS:g} s.")))
            self._transport.close()

    def drop_unfinished_body(self) -> None:
        """End the request if its body is still to come."""
        request = self._http.cycle
        if request is not None and request.more_body and not request.response_complete:
            self._transport.abort()


def _end_of_lines(data: bytes) -> int:
    """Return where MAX_LINES lines end, or the data."""
    *lines, rest = data.split(b"\r\n", MAX_LINES)
    return len(data) - len(rest) if len(lines) == MAX_LINES else len(data)


def _response(error: HttpError) -> bytes:
    """A problem as bytes, for a connection without a request."""
    response = problems.error_response(error, None)
    response.headers["Connection"] = "close"
    head = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()
    return b"\r\n".join([head, *(name + b": " + value for name, value in response.raw_headers), b"", response.body])
