"""A package index on a local socket, well-behaved or not."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WHEEL = "tiny_llama-0.1.0-py3-none-any.whl"


@dataclass
class Index:
    """A simple index with one wheel, and every way to serve it badly. Each trouble happens as often as it says."""

    body: bytes
    sha256: str
    form: str = "html"
    url: str = ""
    project: str = "tiny-llama"
    lists: str = WHEEL
    cut_after: int | None = None
    cuts: int = 0
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    wrong_range: bool = False
    file_requests: list[str | None] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def page(self) -> tuple[str, bytes]:
        href = f"../../files/{self.lists}"
        if self.form == "json":
            file = {"filename": self.lists, "url": href, "hashes": {"sha256": self.sha256}}
            return "application/vnd.pypi.simple.v1+json", json.dumps({"files": [file]}).encode()
        link = f'<a href="{href}#sha256={self.sha256}" data-requires-python="&gt;=3.9">{self.lists}</a>'
        return (
            "text/html",
            f"<!DOCTYPE html><html><body><a href='x-0.tar.gz'>x-0.tar.gz</a>{link}</body></html>".encode(),
        )


class _Handler(BaseHTTPRequestHandler):
    index: Index
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None: ...

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        index = self.index
        index.authorizations.append(self.headers.get("Authorization"))
        if self.path == f"/simple/{index.project}/":
            type_, page = index.page()
            self._send(200, page, Content_Type=type_)
        elif self.path == f"/files/{WHEEL}":
            self._file(index)
        else:
            self._send(404, b"no such page")

    def _file(self, index: Index) -> None:
        asked = self.headers.get("Range")
        index.file_requests.append(asked)
        if index.statuses:
            return self._send(index.statuses.pop(0), b"not now")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and index.ranges else 0
        if start and start >= len(index.body):
            return self._send(416, b"", Content_Range=f"bytes */{len(index.body)}")
        body = index.body[start:]
        self.send_response(206 if start else 200)
        if start:
            first = start + 1 if index.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(index.body) - 1}/{len(index.body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if index.cut_after is not None and index.cuts > 0:
            index.cuts -= 1
            self.wfile.write(body[: index.cut_after])
            self.close_connection = True
            return None
        self.wfile.write(body)
        return None


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up (an untrusted certificate, say) is what some tests are about."""


@contextmanager
def serving(index: Index, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"index": index})
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()
