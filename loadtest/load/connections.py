"""HTTP connections that are kept open between requests, for blocking code (and for gevent, which makes it wait)."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from querygist.errors import ConfigurationError

IDLE_SECONDS = 2.0
"""An idle connection is not used again after this: the server would close it soon (uvicorn: after 5 s), maybe in the
very moment of the request."""

BLOCK = 1 << 16


class Connections:
    """To one server; as many at once as there are requests. `timeout` seconds without a byte raise TimeoutError."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(f"{url!r} is no address of a server. Give one such as http://127.0.0.1:8000.")
        self._new = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json", **headers}
        self._timeout = timeout
        self._idle: list[tuple[HTTPConnection, float]] = []

    @contextmanager
    def post(self, path: str, body: Mapping[str, Any]) -> Generator[HTTPResponse, None, None]:
        """POST as JSON; the response's head has come when the block begins. Raises OSError, HTTPException."""
        connection = self._take()
        try:
            connection.request("POST", self._prefix + path, json.dumps(body).encode(), self._headers)
            with connection.getresponse() as response:
                yield response
                reusable = response.isclosed() and not response.will_close
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> HTTPConnection:
        if self._idle and time.monotonic() - self._idle[-1][1] < IDLE_SECONDS:
            return self._idle.pop()[0]
        self.close()
        return self._new(self._host, self._port, timeout=self._timeout)


def chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes, without waiting for more than there is."""
    return iter(lambda: response.read1(BLOCK), b"")
