"""One Triton server process: started, its log forwarded, stopped, and nothing of it left."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from querygist.triton_server.log_forwarding import forward

HOST = "127.0.0.1"
"""The server is old and has no authentication: nobody but this machine may talk to it."""

EXIT_SECONDS = 5
"""Triton's own limit for requests in flight once it is asked to stop."""

STOP_SECONDS = 10.0
"""A server that has not stopped by then never will; with a dead model it takes 8 s."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where glibc's shm_open puts what the python backend shares with its stubs

LINE_LIMIT = 1 << 20

SETPRIV = shutil.which("setpriv")
"""A program of util-linux that asks the kernel to end the child with its parent, then becomes the child."""

log = structlog.get_logger("querygist.triton")


async def spawn(
    *command: str | Path, environment: Mapping[str, str], output: int | None = None
) -> asyncio.subprocess.Process:
    """Start `command` in a session of its own, its output (stdout and stderr) to `output` or to this process's own.

    A Ctrl-C that reaches the whole foreground group passes it by; when this process is killed, it gets a SIGTERM.
    Raises OSError.
    """
    until_parent_ends = (SETPRIV, "--pdeathsig", "TERM", "--") if SETPRIV else ()
    return await asyncio.create_subprocess_exec(
        *until_parent_ends, *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output,
        stderr=None if output is None else asyncio.subprocess.STDOUT, start_new_session=True, limit=LINE_LIMIT,
    )  # fmt: skip


def kill_group(leader: int) -> None:
    """Kill a process started by `spawn` and what it started itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    grpc: int
    metrics: int


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options a server is started with; see `Installation` and `repository.render`."""

    binary: Path
    environment: Mapping[str, str]
    backends: Path
    repository: Path
    ports: Ports

    def command(self, shared_memory_prefix: str) -> Iterable[str | Path]:
        """The command line. gRPC and metrics only: this server's HTTP front end crashes on large bodies."""
        return (
            self.binary,
            f"--model-repository={self.repository}",
            f"--backend-directory={self.backends}",
            f"--backend-config=python,shm-region-prefix-name={shared_memory_prefix}",
            "--disable-auto-complete-config",
            "--allow-http=false",
            f"--grpc-address={HOST}",
            f"--grpc-port={self.ports.grpc}",
            f"--metrics-address={HOST}",
            f"--metrics-port={self.ports.metrics}",
            "--allow-gpu-metrics=false",
            "--pinned-memory-pool-byte-size=0",
            f"--exit-timeout-secs={EXIT_SECONDS}",
        )


class ServerProcess:
    """A server that runs; see `running`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The server's process id, and its process group's."""
        return self._process.pid

    async def exit_code(self) -> int:
        """Wait for the server's end. Negative: the signal that ended it."""
        return await self._process.wait()

    def kill(self) -> None:
        """End the server and its model processes at once; requests in flight fail with UNAVAILABLE."""
        kill_group(self.pid)

    async def stop(self) -> None:
        """Ask the server to stop, wait, and end what is left."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.exit_code()
        except TimeoutError:
            log.warning("triton_stop_timeout", pid=self.pid, seconds=STOP_SECONDS)
        finally:
            self.kill()
        await self.exit_code()


@asynccontextmanager
async def running(options: ServerOptions) -> AsyncGenerator[ServerProcess, None]:
    """Start a server; at the end of the block it is stopped and nothing of it is left. Raises OSError."""
    prefix = f"querygist-{os.getpid()}-{secrets.token_hex(4)}-"
    process = await spawn(*options.command(prefix), environment=options.environment, output=asyncio.subprocess.PIPE)
    forwarding = asyncio.create_task(forward(process.stdout))
    server = ServerProcess(process)
    try:
        yield server
    finally:
        ending = asyncio.create_task(_end(server, forwarding, prefix))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # a cancellation may come while a failed server is being cleared away
            await ending
            raise


async def _end(server: ServerProcess, forwarding: asyncio.Task[None], prefix: str) -> None:
    await server.stop()
    await forwarding  # ends with the last process that holds the pipe
    _remove_shared_memory(prefix)


def _remove_shared_memory(prefix: str) -> None:
    """A server that is killed, or whose stub was, leaves its regions behind."""
    for region in SHARED_MEMORY.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)
