"""The gateway's end of a worker: a process, and a socket with JSON lines both ways."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

LINE_LIMIT = 1 << 24


class WorkerProcess:
    """A worker that runs; see `running`."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Send one line of `as_line`; one that cannot arrive any more is dropped, as `receive` will tell."""
        if not self._writer.is_closing():
            self._writer.write(line)

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the worker has ended, in whatever way."""
        try:
            line = await self._reader.readline()
        except ConnectionError:  # killed with commands unread: the connection is reset, not closed
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message

    def kill(self) -> None:
        """End the worker at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def exit_code(self) -> int:
        """The exit code of a worker that has ended; negative: the signal that ended it."""
        return await self._process.wait()


def as_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as it goes through the socket."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


@asynccontextmanager
async def running(command: Sequence[str], options: Mapping[str, Any]) -> AsyncGenerator[WorkerProcess, None]:
    """Start `command FD OPTIONS`, the options as JSON; at the end of the block nothing of it is left."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *command, str(theirs.fileno()), json.dumps(options, default=str),
            pass_fds=[theirs.fileno()], start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
    worker = WorkerProcess(process, reader, writer)
    try:
        yield worker
    finally:
        worker.kill()
        await worker.exit_code()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
