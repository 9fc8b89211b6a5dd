"""A package index on a local socket: a directory listing is a simple index (PEP 503)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WHEEL = "tiny_llama-0.1.0-py3-none-any.whl"


class Index(ThreadingHTTPServer):
    """Serves `folder`/simple/<project>/<wheel>, counts downloads, and can hold one up half way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.downloads = 0
        self.half_sent = threading.Event()
        self.stalled: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is killed is what a test is about."""


class _Handler(SimpleHTTPRequestHandler):
    server: Index

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        if not self.path.endswith(".whl"):
            return super().do_GET()
        self.server.downloads += 1
        if self.server.stalled is None:
            return super().do_GET()
        body = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.server.half_sent.set()
        self.server.stalled.wait(30)
        return None


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    with Index(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
