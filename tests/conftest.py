"""Servers to test against: real uvicorn, real sockets; the fake engine or the real model behind them."""

import asyncio
import contextlib
import io
import itertools
import json
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from querygist import logs, settings
from querygist.api.app import create_app
from querygist.api.server import Server
from querygist.artifact.manifest import Manifest
from querygist.engine_factory import create_engine, create_reader
from querygist.engines.base import Engine, Identity
from querygist.engines.fake import FakeEngine
from querygist.errors import ConfigurationError
from querygist.prompting.templates import BEST, LABEL, NO_ANSWER
from querygist.prompting.tokenizer import Tokenizer
from querygist.reader.reader import Reader
from querygist.triton_server.installation import Installation
from tests.suites import Suites
from tests.triton_servers import TritonServer, cpu_model

# The same examples on every run; no time limit on one, because a busy machine is no bug.
hypothesis.settings.register_profile("querygist", deadline=None, derandomize=True)
hypothesis.settings.load_profile("querygist")

REPOSITORY = Path(__file__).parent.parent
WEIGHTS = REPOSITORY / "model_repository" / "weights"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Suites())


def missing(what: str) -> None:
    """An optional part is not here: a failure in CI, a skip with the reason elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (and CI must have it)")
    pytest.skip(what)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    logs.configure(log_format="json", level="info")


@pytest.fixture
def logged() -> Generator[io.StringIO, None, None]:
    """What is logged during a test, as the operator would read it."""
    text = io.StringIO()
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(text)
    yield text
    handler.setStream(before)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer(WEIGHTS / "tokenizer.json")


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Manifest.load(WEIGHTS).identity(precision="int8")


def first_sentences_of_document(tokenizer: Tokenizer) -> Callable[[Sequence[int]], Sequence[int]]:
    """The fake model: quotes the document's first two sentences, from the first label on, as a trained one would."""
    opening, best = tokenizer.id_of(LABEL), tokenizer.id_of(BEST)

    def reply(ids: Sequence[int]) -> Sequence[int]:
        labels = [place for place, id_ in enumerate(ids) if id_ == opening]
        if len(labels) < 2:
            return tokenizer.encode(NO_ANSWER)
        ends = [place - (2 if ids[place - 1] == best else 1) for place in labels[1:]]
        sentences = [ids[label + 2 : end] for label, end in zip(labels, ends, strict=False)]
        return [*ids[labels[0] : labels[0] + 2], *itertools.chain(*sentences[:2])]

    return reply


@pytest.fixture
def fake(identity: Identity, tokenizer: Tokenizer) -> FakeEngine:
    return FakeEngine(identity, first_sentences_of_document(tokenizer))


Serve = Callable[..., "contextlib.AbstractAsyncContextManager[httpx.AsyncClient]"]


@pytest.fixture
def serve(tokenizer: Tokenizer) -> Serve:
    """`async with serve(engine, **settings) as client`: a server in this test's event loop."""

    @contextlib.asynccontextmanager
    async def serving(
        engine: Engine, reader: Reader | None = None, **overrides: object
    ) -> AsyncGenerator[httpx.AsyncClient, None]:
        app = create_app(settings.load(port=0, **overrides), engine, tokenizer, reader)
        server = Server(app)
        task = asyncio.create_task(server.serve())
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        async with httpx.AsyncClient(base_url=url_of(server), timeout=30) as client:
            client.server = server  # type: ignore[attr-defined]
            client.gateway = app.state.gateway  # type: ignore[attr-defined]
            try:
                yield client
            finally:
                server.should_exit = True
                await task

    return serving


def url_of(server: Server) -> str:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"


@dataclass
class Live:
    """A server in a thread of its own, for clients that block."""

    url: str
    gateway: Any


@contextlib.contextmanager
def live_server(
    engine: Engine, tokenizer: Tokenizer, reader: Reader | None = None, **overrides: object
) -> Iterator[Live]:
    app = create_app(settings.load(port=0, **overrides), engine, tokenizer, reader)
    server = Server(app)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.01)
    try:
        yield Live(url_of(server), app.state.gateway)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def live(fake: FakeEngine, tokenizer: Tokenizer) -> Generator[Live, None, None]:
    with live_server(fake, tokenizer) as one:
        yield one


async def until_ready(url: str, *, seconds: float = 120) -> None:
    """Poll /readyz: there is nothing else a client could wait on."""
    async with httpx.AsyncClient(base_url=url, timeout=10) as client, asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def until_read(url: str) -> None:
    """Ask until the reader has read a page: what it has not is not cached, and asked anew."""
    body = {"query": "which animal", "document": "An owl is an animal.", "style": "quote"}
    async with httpx.AsyncClient(base_url=url, timeout=10) as client, asyncio.timeout(120):
        while (await client.post("/summarize", json=body)).json()["score"] is None:
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def loaded(**overrides: object) -> Iterator[Live]:
    """Engine and reader that these settings name, behind a real server; ready when the block begins."""
    chosen = settings.load(**overrides)
    (engine, tokenizer), reader = create_engine(chosen), create_reader(chosen)
    with live_server(engine, tokenizer, reader, default_deadline_ms=60_000) as live:
        with ThreadPoolExecutor(1) as thread:  # this may be called inside of a test's event loop
            thread.submit(lambda: asyncio.run(until_ready(live.url))).result()
            if reader is not None:
                thread.submit(lambda: asyncio.run(until_read(live.url))).result()
        yield live


@pytest.fixture(scope="session")
def embedded_server() -> Generator[Live, None, None]:
    """The real model behind a real server, loaded once for the whole run."""
    with loaded() as live:
        yield live


@pytest.fixture(scope="session")
def triton_installation() -> Installation:
    """The Triton server in QUERYGIST_TRITON_VENV, or where `make triton` puts it."""
    try:
        return Installation.find(REPOSITORY / settings.load().triton_venv)
    except ConfigurationError as error:
        missing(error.detail)
        raise


@pytest.fixture(scope="session")
def triton_model_server(
    triton_installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Generator[TritonServer, None, None]:
    """A real Triton with the real CPU model, started once for the whole run."""
    with cpu_model(triton_installation, tmp_path_factory.mktemp("triton") / "triton.log") as server:
        yield server


@pytest.fixture(scope="session")
def triton_server(triton_model_server: TritonServer) -> Generator[Live, None, None]:
    """A real server in front of that Triton."""
    with loaded(engine="triton", triton_endpoints=triton_model_server.address) as live:
        yield live


@pytest.fixture(scope="session")
def rows() -> list[dict[str, str]]:
    """Real rows of public data sets, the shortest first: query, document, human summary."""
    lines = (REPOSITORY / "tests/data/rows.jsonl").read_text().splitlines()
    return sorted(map(json.loads, lines), key=lambda row: len(row["document"]))
