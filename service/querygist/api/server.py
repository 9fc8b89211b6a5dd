"""uvicorn, with an end that finishes what it began."""

import contextlib
import errno
import socket
import sys
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from querygist.api.connections import Connections, fit_open_files
from querygist.api.garbage import GarbageCollector
from querygist.api.state import AppState
from querygist.errors import ConfigurationError

log = structlog.get_logger("querygist.server")

LAST_WORDS_SECONDS = 5
"""Once the engine is stopped, time for the remaining responses to say so."""


SWITCH_SECONDS = 0.001
"""After so long a thread that works on texts lets the event loop go on, if it waits: several times for an answer."""

SLOW_READER_SECONDS = 10
"""Beyond the longest deadline, time for a client to read the rest of its answer."""


class Server(uvicorn.Server):
    """On SIGTERM or SIGINT: /readyz fails, new requests are refused, those in flight finish, then the process exits 0.
    Requests still in flight after the budget lose the engine and end with an error or an extract. A second signal
    ends the process at once.
    """

    def __init__(self, app: FastAPI, garbage: GarbageCollector | None = None) -> None:
        """`garbage`: of a process that does nothing else."""
        self._gateway: AppState = app.state.gateway
        self._garbage = garbage
        settings = self._gateway.settings
        self.connections = Connections(
            fit_open_files(settings.max_connections),
            settings.max_deadline_ms / 1000 + SLOW_READER_SECONDS,
            self._gateway.metrics,
            operations_port=settings.operations_port,
        )
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                root_path=settings.root_path,
                ws="none",  # it would take connections away from `connections`
                http=self.connections.protocol,  # type: ignore[arg-type]  # anything that makes one
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=LAST_WORDS_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say where."""
        settings = self._gateway.settings
        if settings.operations_port is not None:
            with contextlib.ExitStack() as held:
                ports = (settings.port, settings.operations_port)
                sockets = [one for port in ports for one in _listening(settings.host, port, held)]
                held.pop_all()
        await super().startup(sockets)
        if not self.started:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        log.info(
            "listening", url=f"http://{host}:{port}", operations_port=settings.operations_port, engine=settings.engine
        )
        if settings.lets_everyone_in:
            log.warning("open_to_everyone", host=host, remedy="QUERYGIST_API_KEYS_FILE names a key file")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Signal handler."""
        lifecycle = self._gateway.lifecycle
        if lifecycle.draining:
            self.should_exit = self.force_exit = True
        lifecycle.begin_drain()

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s: exit once drained."""
        if counter % 10 == 0:
            self.connections.close_overdue()
        lifecycle = self._gateway.lifecycle
        if self._garbage is not None:
            self._garbage.collect(idle=not lifecycle.in_flight)
        if lifecycle.expired and not lifecycle.drained:
            log.warning("drain_expired", requests_left=lifecycle.in_flight)
            self.connections.drop_unfinished_bodies()
            await self._gateway.engine.close()
            self.should_exit = True
        elif lifecycle.drained:
            log.info("drained")
            self.should_exit = True
        return await super().on_tick(counter)


def _listening(host: str, port: int, held: contextlib.ExitStack) -> list[socket.socket]:
    """Return a socket for each address of `host`, as uvicorn makes them, closed with `held`. An address that this
    machine has not is left out, unless it is the only one. Raises ConfigurationError.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        missing = None
        for family, (name, _, *scope) in dict.fromkeys((family, address) for family, *_, address in found):
            try:  # of IPv6 only, if it is: the other family has an address of its own
                sockets.append(held.enter_context(socket.create_server((name, port, *scope), family=family)))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
            else:
                port = sockets[0].getsockname()[1]  # where 0 picked one, for all
        if missing and not sockets:
            raise missing
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another port."
        ) from None
    return sockets


def serve(app: FastAPI) -> None:
    """Serve until a signal."""
    sys.setswitchinterval(SWITCH_SECONDS)
    Server(app, GarbageCollector()).run()
