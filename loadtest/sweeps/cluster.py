"""CPU Tritons and the gateways before them, each a process on a port of its own, to be killed and started again."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from loadtest.processes import READY_SECONDS
from querygist.errors import ConfigurationError
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, kill_group

_ACTIVE = re.compile(r"^querygist_batcher_active_requests(?:\{.*\})? ([\d.e+]+)$", re.MULTILINE)


@dataclass(slots=True)
class Server:
    """One process: a gateway, or a Triton with its supervisor. `port` is where it tells whether it is ready."""

    arguments: Sequence[str]
    port: int
    ready_path: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "querygist", *self.arguments],
                env=os.environ | self.environment,
                stderr=log,
                start_new_session=True,
            )

    async def ready(self, client: httpx.AsyncClient) -> None:
        """Wait until it is. Raises ConfigurationError when it ends instead, and TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            while not await self.is_ready(client):
                if self.process is None or self.process.poll() is not None:
                    raise ConfigurationError(f"{' '.join(self.arguments)} did not start; its log: {self.log}.")
                await asyncio.sleep(0.1)

    async def is_ready(self, client: httpx.AsyncClient) -> bool:
        """Whether it answers that it is."""
        try:
            return (await client.get(self.url + self.ready_path)).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        if self.process is not None:
            kill_group(self.process.pid)
            self.process.wait()

    def kill_child(self) -> None:
        """SIGKILL to what it supervises."""
        if self.process is not None:
            for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
                for child in children.read_text().split():
                    kill_group(int(child))

    def end(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()


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
    common = {"QUERYGIST_LOG_FORMAT": "json", "QUERYGIST_THREADS": "1"}  # they share this machine's cores
    gateway = common | {
        "QUERYGIST_CACHE_MB": "0",
        "QUERYGIST_TRITON_ENDPOINTS": ",".join(f"{HOST}:{port}" for port in grpc),
    }
    tritons = tuple(
        Server(
            ["triton", "--no-gateway", "--grpc-port", str(one), "--metrics-port", str(port)],
            port, "/metrics", common, folder / f"triton-{number}.log",
        )
        for number, (one, port) in enumerate(zip(grpc, metrics, strict=True))
    )  # fmt: skip
    gateways = tuple(
        Server(
            ["serve", "--engine", "triton", "--port", str(port)],
            port,
            "/readyz",
            gateway,
            folder / f"gateway-{number}.log",
        )
        for number, port in enumerate(http)
    )
    servers = (*tritons, *gateways)
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            for server in servers:
                server.start()
            for server in servers:
                await server.ready(client)
            yield Cluster(gateways, tritons)
    finally:
        for server in reversed(servers):
            server.end()


async def active(triton: Server, client: httpx.AsyncClient) -> int:
    """Requests in a Triton's model at this moment, as its metrics tell."""
    found = _ACTIVE.search((await client.get(triton.url + "/metrics")).text)
    return int(float(found[1])) if found else 0
