"""Triton servers whose model answers by a script: started, changed and killed by a test."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.model_config_pb2 import ModelConfig

from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.engines.triton import endpoint
from querygist.engines.triton.engine import TritonEngine
from querygist.errors import EngineUnavailable
from querygist.triton_server import repository
from querygist.triton_server.installation import Installation
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, Ports, ServerOptions, ServerProcess, running
from tests.conftest import REPOSITORY, WEIGHTS
from tests.contract.calls import Raw, connected
from tests.triton_servers import TritonServer

SCRIPTED_MODEL = REPOSITORY / "loadtest" / "scripted_model"

SOON = 60
"""Seconds in which anything expected here happens, however busy the machine: a bound against hangs."""


class Scripted(TritonServer):
    """One address; a server that can be started there, killed, and started again."""

    def __init__(self, options: ServerOptions, script: Path) -> None:
        super().__init__(options.ports.grpc, options.ports.metrics)
        self._options = options
        self._script = script
        self._life = contextlib.AsyncExitStack()
        self._process: ServerProcess | None = None

    def script(self, **changes: Any) -> None:
        """From now on the model does this; see loadtest.scripted_model.source.Script. What is not named is default."""
        draft = self._script.with_suffix(".new")
        known = Manifest.load(WEIGHTS).known_answer
        draft.write_text(json.dumps({"known": known and asdict(known)} | changes))
        draft.replace(self._script)

    def configure(self, edit: Callable[[ModelConfig], None]) -> None:
        """Change the model's configuration, for the next start."""
        [model] = self._options.repository.iterdir()
        config = repository.load_config(model)
        edit(config)
        (model / repository.CONFIG).write_text(text_format.MessageToString(config))
        model.rename(model.with_name(config.name))

    async def start(self) -> None:
        """Returns when the model is loaded."""
        self._process = await self._life.enter_async_context(running(self._options))
        channel = grpc.aio.insecure_channel(self.address, options=endpoint.CHANNEL)
        async with asyncio.timeout(SOON), channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while True:
                with contextlib.suppress(grpc.RpcError):
                    if (await stub.ServerReady(service_pb2.ServerReadyRequest())).ready:
                        return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it at once, and nothing of it is left."""
        if self._process is not None:
            self._process.kill()
        await self._life.aclose()

    async def until(self, condition: Callable[[dict[str, float]], bool]) -> None:
        """Wait until the model's metrics are so."""
        async with asyncio.timeout(SOON):
            while not condition(await self.samples()):
                await asyncio.sleep(0.02)


MakeScripted = Callable[..., Awaitable[Scripted]]


@pytest.fixture
async def scripted(
    triton_installation: Installation, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[MakeScripted, None]:
    """`server = await scripted(started=True, edit=..., tokens=3)`: `edit` changes its configuration, see `Script` for
    the rest."""
    monkeypatch.setattr(endpoint, "PROBE_SECONDS", 0.1)
    servers: list[Scripted] = []
    environment = await asyncio.to_thread(triton_installation.environment)

    async def make(
        *, started: bool = True, edit: Callable[[ModelConfig], None] = lambda _: None, **script: Any
    ) -> Scripted:
        folder = tmp_path / f"server{len(servers)}"
        file = folder / "script.json"
        model = repository.render(repository.CPU_MODEL, folder / "models", {"script": str(file)})
        shutil.copyfile(SCRIPTED_MODEL / "1" / "model.py", model / "1" / "model.py")
        options = ServerOptions(
            binary=triton_installation.binary,
            environment=environment,
            backends=triton_installation.backend_directory(folder / "backends"),
            repository=model.parent,
            ports=Ports(*claim([(HOST, 0), (HOST, 0)])),
        )
        server = Scripted(options, file)
        servers.append(server)
        server.configure(claims(identity))
        server.configure(edit)
        server.script(**script)
        if started:
            await server.start()
        return server

    yield make
    await asyncio.gather(*(server.kill() for server in servers))


def claims(told: Identity) -> Callable[[ModelConfig], None]:
    """The edit of a configuration that makes the server say it serves this model."""

    def edit(config: ModelConfig) -> None:
        config.parameters["querygist_identity"].string_value = json.dumps(asdict(told))

    return edit


async def until_ready(one: TritonEngine | httpx.AsyncClient) -> None:
    """Wait until an engine, or the gateway in front of one, is ready."""
    async with asyncio.timeout(SOON):
        while await _reason(one) is not None:
            await asyncio.sleep(0.02)


async def until_unready(one: TritonEngine | httpx.AsyncClient, mention: str = "") -> str:
    """Wait until it is not ready, for a reason that mentions this; returns the reason."""
    async with asyncio.timeout(SOON):
        while (reason := await _reason(one)) is None or mention not in reason:
            await asyncio.sleep(0.02)
    return reason


async def _reason(one: TritonEngine | httpx.AsyncClient) -> str | None:
    if isinstance(one, httpx.AsyncClient):
        response = await one.get("/readyz")
        return None if response.status_code == 200 else str(response.json()["detail"])
    try:
        await one.ready()
    except EngineUnavailable as error:
        return error.detail
    return None


MakeEngine = Callable[..., TritonEngine]


@pytest.fixture
def engine_on(identity: Identity) -> MakeEngine:
    """`engine_on(server, ...)`: the gateway's engine for these servers, not started."""

    def make(*servers: Scripted, stall_seconds: float = SOON, plain: bool = False) -> TritonEngine:
        addresses = [server.address for server in servers]
        return TritonEngine(identity, addresses, plain=plain, stall_seconds=stall_seconds)

    return make


@pytest.fixture
async def raw(triton_model_server: TritonServer) -> AsyncGenerator[Raw, None]:
    """A connection to the real CPU model."""
    async with connected(triton_model_server.address) as connection:
        yield connection
