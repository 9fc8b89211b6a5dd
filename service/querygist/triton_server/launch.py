"""`querygist triton`: Triton with the CPU model, kept alive, and the gateway in front of it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import structlog

from querygist import artifact
from querygist.engine_factory import engine_options
from querygist.engines.triton.protocol import PLAIN
from querygist.settings import Settings
from querygist.triton_server import repository
from querygist.triton_server.installation import Installation
from querygist.triton_server.ports import claim
from querygist.triton_server.server_process import HOST, Ports, ServerOptions, kill_group, spawn
from querygist.triton_server.supervisor import Probe, Supervisor

GATEWAY_EXIT_SECONDS = 15.0
"""Allowed beyond the gateway's own budget for draining; one that takes longer hangs."""

log = structlog.get_logger("querygist.triton")


def launch(settings: Settings, *, grpc_port: int, metrics_port: int, gateway: bool) -> int:
    """Run until a signal, or until the gateway ends by itself; returns the exit code.

    `settings.port` is the gateway's. A port that is 0 becomes a free one. Raises ConfigurationError when a port is
    taken or no Triton server is installed, and ArtifactError.
    """
    installation = Installation.find(settings.triton_venv)
    environment = installation.environment()
    wanted = [(HOST, grpc_port), (HOST, metrics_port)] + [(settings.host, settings.port)] * gateway
    grpc, metrics, *gateway_port = claim(wanted)
    built = artifact.build(settings)
    config = repository.load_config(repository.CPU_MODEL)
    with tempfile.TemporaryDirectory(prefix="querygist-triton-") as folder:
        run = Path(folder)
        server = ServerOptions(
            binary=installation.binary,
            environment=environment,
            backends=installation.backend_directory(run / "backends"),
            repository=cpu_repository(settings, built, run / "models"),
            ports=Ports(grpc=grpc, metrics=metrics),
        )
        log.info("triton_ports", grpc=grpc, metrics=metrics, gateway=gateway_port[0] if gateway else None)
        canary = Probe(built.identity.end_id, repository.lookahead(config) if settings.candidate_tokens else PLAIN)
        supervisor = Supervisor(server, canary, stall_seconds=settings.stall_seconds)
        return asyncio.run(_Launch(settings, supervisor).run(grpc, gateway_port[0] if gateway else None))


def cpu_repository(settings: Settings, built: artifact.BuiltModel, into: Path) -> Path:
    """Write the CPU model, with which model it is and what its OpenVINO engine is built with, into the model repository
    `into`; returns that. Raises ConfigurationError.
    """
    most = repository.load_config(repository.CPU_MODEL).max_batch_size
    parameters = {
        "querygist_identity": json.dumps(asdict(built.identity)),
        "querygist_engine": json.dumps(asdict(replace(engine_options(settings, built), max_batch=most)), default=str),
    }
    return repository.render(repository.CPU_MODEL, into, parameters).parent


class _Launch:
    """The two child processes and the signals that end them."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._gateway: asyncio.subprocess.Process | None = None
        self._signalled = asyncio.Event()
        self._forced = False

    async def run(self, grpc_port: int, port: int | None) -> int:
        """Run until the first signal and return 0, or 1 after a second one; or until the gateway ends, and return its
        exit code. Triton ends last, so that requests the gateway has taken on are answered.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        supervising = asyncio.create_task(self._supervisor.run())
        try:
            if port is None:
                await self._signalled.wait()
                code = 0
            else:
                self._gateway = await self._start_gateway(grpc_port, port)
                code = await self._attend(self._gateway)
        finally:
            supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervising
        return 1 if self._forced else code

    def _end(self) -> None:
        """Signal handler: the first one begins the end, the second one is the end."""
        if self._signalled.is_set():
            self._forced = True
            self._supervisor.kill()
            if self._gateway and self._gateway.returncode is None:
                kill_group(self._gateway.pid)
        self._signalled.set()

    async def _start_gateway(self, grpc_port: int, port: int) -> asyncio.subprocess.Process:
        return await spawn(
            sys.executable, "-m", "querygist", "serve", "--engine", "triton", "--port", str(port),
            environment=os.environ | {"QUERYGIST_TRITON_ENDPOINTS": f"{HOST}:{grpc_port}"},
        )  # fmt: skip

    async def _attend(self, gateway: asyncio.subprocess.Process) -> int:
        signalled = asyncio.create_task(self._signalled.wait())
        ended = asyncio.create_task(gateway.wait())
        await asyncio.wait({signalled, ended}, return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        if ended.done():
            code = ended.result()
            log.error("gateway_ended", exit_code=code)
            return code if code >= 0 else 128 - code  # as a shell tells of a signal
        gateway.terminate()
        seconds = self._settings.drain_delay_seconds + self._settings.drain_seconds + GATEWAY_EXIT_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await ended
        except TimeoutError:
            log.error("gateway_killed", seconds=seconds)
            kill_group(gateway.pid)
            await gateway.wait()
        return 0
