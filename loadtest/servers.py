"""Servers to measure: gateways and Tritons, each a process on a port of its own, to be killed and started again."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from querygist.artifact.manifest import Manifest
from querygist.engines.base import Identity
from querygist.errors import ConfigurationError
from querygist.settings import Settings
from querygist.triton_server import repository, server_process
from querygist.triton_server.installation import Installation
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, Ports, ServerOptions, kill_group

Engine = Literal["embedded", "triton"]

READY_SECONDS = 300.0
POLL_SECONDS = 0.05

SCRIPTED_MODEL = Path(__file__).parent / "scripted_model" / "1"


@dataclass(slots=True)
class Server:
    """`querygist ARGUMENTS`, which is ready when its `port` answers 200 at `ready_path`; its log goes to a file."""

    arguments: Sequence[str]
    port: int
    log: Path
    settings: dict[str, str]
    ready_path: str = "/readyz"
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        """The address it listens at."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it; it is not ready yet."""
        settings = {"LOG_FORMAT": "json"} | self.settings
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "querygist", *self.arguments],
                env=os.environ | {f"QUERYGIST_{name}": value for name, value in settings.items()},
                stderr=log,
                start_new_session=True,
            )

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it is. Raises ConfigurationError with its log when it ends instead, and TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            while not await self.is_ready(client):
                if self.process.poll() is not None:
                    log = self.log.read_text(encoding="utf-8")
                    raise ConfigurationError(f"`querygist {' '.join(self.arguments)}` did not start:\n{log}")
                await asyncio.sleep(POLL_SECONDS)

    async def is_ready(self, client: httpx.AsyncClient) -> bool:
        """True when it answers that it is."""
        try:
            return (await client.get(self.url + self.ready_path)).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        kill_group(self.process.pid)
        self.process.wait()

    def kill_child(self) -> None:
        """SIGKILL to what it supervises."""
        for child in psutil.Process(self.process.pid).children():
            kill_group(child.pid)

    def end(self) -> None:
        """SIGTERM, and wait."""
        self.process.terminate()
        self.process.wait()


@asynccontextmanager
async def started(*servers: Server) -> AsyncGenerator[float, None]:
    """Start servers, wait until all are ready, and end them after the block; seconds from start to ready."""
    began = time.monotonic()
    with ExitStack() as running:
        async with httpx.AsyncClient(timeout=10) as client:
            for server in servers:
                server.start()
                running.callback(server.end)
            for server in servers:
                await server.ready(client)
        yield time.monotonic() - began


@asynccontextmanager
async def gateway(engine: Engine = "embedded", /, **settings: str) -> AsyncGenerator[tuple[Server, float], None]:
    """A gateway with an engine, for "triton" a server behind it; and seconds from start to ready."""
    command = ["triton", "--grpc-port", "0", "--metrics-port", "0"] if engine == "triton" else ["serve"]
    [port] = claim([(HOST, 0)])
    with tempfile.TemporaryDirectory(prefix="querygist-gateway-") as folder:
        server = Server([*command, "--port", str(port)], port, Path(folder) / "log", settings)
        async with started(server) as seconds:
            yield server, seconds


@dataclass(frozen=True, slots=True)
class Cluster:
    """Gateways, each of which knows all Tritons."""

    gateways: tuple[Server, ...]
    tritons: tuple[Server, ...]


@asynccontextmanager
async def cluster(size: int, folder: Path) -> AsyncGenerator[Cluster, None]:
    """`size` of each, all ready, without caches; logs in `folder`. Raises ConfigurationError."""
    ports = claim([(HOST, 0)] * (3 * size))
    grpc, metrics, http = ports[:size], ports[size : 2 * size], ports[2 * size :]
    common = {"THREADS": "1"}  # they share this machine's cores
    endpoints = {"CACHE_MB": "0", "TRITON_ENDPOINTS": ",".join(f"{HOST}:{port}" for port in grpc)}
    triton = ("triton", "--no-gateway", "--grpc-port")
    tritons = tuple(
        Server(
            [*triton, str(one), "--metrics-port", str(port)], port, folder / f"triton-{port}.log", common, "/metrics"
        )
        for one, port in zip(grpc, metrics, strict=True)
    )
    serve = ("serve", "--engine", "triton", "--port")
    gateways = tuple(
        Server([*serve, str(port)], port, folder / f"gateway-{port}.log", common | endpoints) for port in http
    )
    async with started(*tritons, *gateways):
        yield Cluster(gateways, tritons)


@asynccontextmanager
async def scripted_triton(settings: Settings, identity: Identity, **script: object) -> AsyncGenerator[str, None]:
    """A Triton server whose model answers by `script` (see loadtest.scripted_model.source.Script): its gRPC address.

    It says it is the model of `identity`. Raises ConfigurationError when no Triton server is installed.
    """
    installation = Installation.find(settings.triton_venv)
    ports = Ports(*claim([(HOST, 0), (HOST, 0)]))
    with tempfile.TemporaryDirectory(prefix="querygist-scripted-") as folder:
        run = Path(folder)
        script_file = run / "script.json"
        known = Manifest.load(settings.weights_dir).known_answer
        script_file.write_text(json.dumps(script | {"known": known and asdict(known)}))
        parameters = {"querygist_identity": json.dumps(asdict(identity)), "script": str(script_file)}
        model = repository.render(repository.CPU_MODEL, run / "models", parameters)
        shutil.copytree(SCRIPTED_MODEL, model / "1", dirs_exist_ok=True)
        backends = installation.backend_directory(run / "backends")
        options = ServerOptions(installation.binary, installation.environment(), backends, model.parent, ports)
        async with server_process.running(options):
            yield f"{HOST}:{ports.grpc}"


async def metrics(client: httpx.AsyncClient, url: str) -> dict[str, float]:
    """A server's metrics by name, labels left out. Raises httpx.HTTPError, and ValueError for another page."""
    text = (await client.get(f"{url}/metrics")).raise_for_status().text
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
