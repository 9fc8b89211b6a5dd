"""Reading answers as they come."""

import json
import socket
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest

from loadtest.load.client import Connections, ask
from loadtest.load.results import UNREACHABLE, Result
from loadtest.load.traffic import PAGE, Ask, Kind
from querygist.errors import ConfigurationError

ANSWER: dict[str, Any] = {
    "id": "1", "summary": "s", "answerable": True, "method": "generative", "cached": False, "citations": [],
    "sources": [], "copied": 1.0, "text": None, "model": {"name": "m", "version": "1"},
    "usage": {"prompt_tokens": 5, "completion_tokens": 5, "truncated": False},
    "timings_ms": {"queue": 0.0, "first_token": 1.0, "total": 2.0},
}  # fmt: skip
PROBLEM = {"type": "urn:querygist:problem:overloaded", "title": "t", "status": 503, "detail": "d"}

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.peers.add(self.client_address)  # type: ignore[attr-defined]
        self.server.reply(self)  # type: ignore[attr-defined]

    def log_message(self, *arguments: object) -> None:
        pass

    def whole(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunked(self, *parts: bytes, end: bool = True) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if end:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


class Server(ThreadingHTTPServer):
    reply: Reply
    peers: set[object]


@pytest.fixture
def server() -> Generator[Server, None, None]:
    """Answers whatever a test sets as `reply`; `peers` are the connections that came."""
    with Server(("127.0.0.1", 0), Handler) as made:
        made.peers = set()
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Generator[Connections, None, None]:
    made = Connections(f"http://127.0.0.1:{server.server_port}", {}, timeout=30)
    yield made
    made.close()


def asked(client: Connections, kind: Kind) -> list[Result]:
    """The clock goes on by a second whenever it is looked at."""
    clock = count(1)
    wanted = Ask(kind, "/summarize", {}, PAGE if kind == "page" else 1)
    return ask(client, wanted, arrival=7.0, since=lambda: float(next(clock)))


def event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


TOKEN = event("token", {"text": "a"})


def test_an_answer_is_read(server: Server, client: Connections) -> None:
    server.reply = lambda handler: handler.whole(200, json.dumps(ANSWER | {"cached": True}).encode())
    (result,) = asked(client, "json")
    assert result == Result(kind="json", arrival=7, send_lag=1, e2el=2, outcome="generative", cached=True)


@pytest.mark.parametrize("cut", [1, 3, 10_000], ids="{} bytes a chunk".format)
def test_a_stream_is_timed_piece_by_piece_wherever_it_is_cut(server: Server, client: Connections, cut: int) -> None:
    body = b"".join([*(event("token", {"text": text}) for text in ("naïve ", "日本 ", "👍")), event("done", ANSWER)])
    parts = [body[start : start + cut] for start in range(0, len(body), cut)]
    server.reply = lambda handler: handler.chunked(*parts)
    (result,) = asked(client, "stream")
    assert result.outcome == "generative"
    assert result.ttft is not None
    assert result.send_lag < result.ttft <= result.e2el
    assert (result.itl or 0) > 0 if cut < 10 else result.itl == 0


def test_the_first_piece_is_there_before_the_rest(server: Server, client: Connections) -> None:
    """Locust's FastHttpUser would wait for the whole stream."""
    arrived = threading.Event()

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (event("token", {"text": "first"}), event("done", ANSWER)):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            assert part.startswith(b"event: done") or arrived.wait(30)
        handler.wfile.write(b"0\r\n\r\n")

    looked: list[None] = []

    def since() -> float:
        looked.append(None)
        if len(looked) == 2:  # once when it was sent, once when the first chunk came
            arrived.set()
        return float(len(looked))

    server.reply = reply
    (result,) = ask(client, Ask("stream", "/summarize", {}, 1), arrival=0, since=since)
    assert arrived.is_set()
    assert (result.outcome, result.ttft, result.e2el) == ("generative", 2, 3)


@pytest.mark.parametrize(
    ("reason", "outcome"), [("asked", "quote"), ("checker", "generative"), ("deadline", "extractive")]
)
def test_quotes_are_told_apart_by_their_reason(server: Server, client: Connections, reason: str, outcome: str) -> None:
    quote = ANSWER | {"method": "extractive", "reason": reason}
    server.reply = lambda handler: handler.whole(200, json.dumps(quote).encode())
    (result,) = asked(client, "json")
    assert (result.outcome, result.answered, result.ok) == (outcome, True, outcome != "extractive")


def test_a_page_has_a_sample_for_each_document(server: Server, client: Connections) -> None:
    lines = [{"id": "1", "answer": ANSWER}, {"id": "2", "problem": PROBLEM}] + [
        {"id": str(number), "answer": ANSWER | {"method": "extractive", "reason": "overloaded"}}
        for number in range(3, PAGE + 1)
    ]
    server.reply = lambda handler: handler.chunked(*(json.dumps(line).encode() + b"\n" for line in lines))
    results = asked(client, "page")
    assert [result.outcome for result in results] == ["generative", "overloaded"] + ["extractive"] * (PAGE - 2)
    assert results[0].e2el < results[-1].e2el


@pytest.mark.parametrize(
    ("kind", "reply", "outcome"),
    [
        ("json", lambda handler: handler.whole(503, json.dumps(PROBLEM).encode()), "overloaded"),
        ("json", lambda handler: handler.whole(502, b"<html>bad gateway"), "http-502"),
        ("json", lambda handler: handler.whole(200, b"{}"), "unreadable"),
        ("json", lambda handler: handler.chunked(b"{", end=False), "connection"),
        ("stream", lambda handler: handler.chunked(TOKEN, event("error", PROBLEM)), "overloaded"),
        ("stream", lambda handler: handler.chunked(TOKEN), "cut-off"),
        ("stream", lambda handler: handler.chunked(TOKEN, end=False), "connection"),
        ("page", lambda handler: handler.chunked(b'{"id": "1"'), "cut-off"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_named(server: Server, client: Connections, kind: Kind, reply: Reply, outcome: str) -> None:
    server.reply = reply
    results = asked(client, kind)
    assert {result.outcome for result in results} == {outcome}
    assert len(results) == (PAGE if kind == "page" else 1)
    assert not results[0].answered


def test_results_of_a_page_that_broke_off_are_kept(server: Server, client: Connections) -> None:
    line = json.dumps({"id": "1", "answer": ANSWER}).encode() + b"\n"
    server.reply = lambda handler: handler.chunked(line, end=False)
    assert [result.outcome for result in asked(client, "page")] == ["generative"] + ["connection"] * (PAGE - 1)


def test_a_server_that_says_nothing_times_out(server: Server) -> None:
    released = threading.Event()

    def reply(handler: Handler) -> None:
        handler.close_connection = released.wait(30)

    server.reply = reply
    quick = Connections(f"http://127.0.0.1:{server.server_port}", {}, timeout=0.05)
    (result,) = asked(quick, "json")
    released.set()
    assert result.outcome == "timeout"


def test_nobody_listens() -> None:
    with socket.socket() as bound:  # bound, but not listening
        bound.bind(("127.0.0.1", 0))
        (result,) = asked(Connections(f"http://127.0.0.1:{bound.getsockname()[1]}", {}, timeout=30), "json")
    assert result.outcome == UNREACHABLE


def test_connections_are_kept(server: Server, client: Connections) -> None:
    server.reply = lambda handler: handler.chunked(event("done", ANSWER))
    for _ in range(3):
        asked(client, "stream")
    server.reply = lambda handler: handler.whole(200, json.dumps(ANSWER).encode())
    for _ in range(3):
        asked(client, "json")
    assert len(server.peers) == 1


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:8000"):
        Connections(url, {}, timeout=1)
