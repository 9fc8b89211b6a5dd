"""The pool of Triton servers: what the configured names resolve to, followed while servers come and go.

A name that resolves to several addresses, as a headless Kubernetes service does, stands for a server at each of them.
An address that a name no longer has gets no more requests, finishes those it holds, and is hung up on. A name that
does not resolve keeps the addresses it had: whether a server lives is for its canary to say, not for a name server.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence

import structlog

from querygist.engines.triton.endpoint import Endpoint

RESOLVE_SECONDS = 5.0
"""Between two questions what the names stand for: what CoreDNS says of a headless service, it says for so long."""

LEAVE_SECONDS = 0.5
"""Between two looks whether a server that is gone still holds requests."""

log = structlog.get_logger("querygist.triton")

Resolve = Callable[[str], Awaitable[set[str]]]
"""HOST:PORT in, every IP:PORT it stands for out. Raises OSError or UnicodeError when it stands for none."""


async def resolve(name: str) -> set[str]:
    """Ask the system's resolver. Of a host with both, IPv4: a server with two addresses is still one server."""
    host, _, port = name.rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    four = {f"{address[0]}:{port}" for family, *_, address in found if family == socket.AF_INET}
    return four or {f"[{address[0]}]:{port}" for family, *_, address in found if family == socket.AF_INET6}


class EndpointPool:
    """`endpoints` are those that requests may go to now. For one event loop."""

    def __init__(self, names: Sequence[str], connect: Callable[[str], Endpoint], resolve: Resolve = resolve) -> None:
        """`names` are HOST:PORT; `connect` makes the endpoint of an IP:PORT, not yet started."""
        self.names = names
        self.endpoints: list[Endpoint] = []
        self._connect = connect
        self._resolve = resolve
        self._known: dict[str, set[str]] = {}  # by name, as last told
        self._unresolved: set[str] = set()
        self._leaving: dict[asyncio.Task[None], Endpoint] = {}
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the names."""
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Hang up on all of them."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        leaving = list(self._leaving.items())
        for task, _ in leaving:
            task.cancel()
        await asyncio.gather(*(task for task, _ in leaving), return_exceptions=True)
        await asyncio.gather(*(one.close() for one in [*self.endpoints, *(gone for _, gone in leaving)]))

    async def _follow(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # following itself must not end
                log.error("triton_names_failed", exc_info=error)
            await asyncio.sleep(RESOLVE_SECONDS)

    async def look(self) -> None:
        """Ask once what the names stand for, and greet and see off accordingly."""
        await asyncio.gather(*map(self._ask, self.names))
        wanted = set().union(*self._known.values())
        for endpoint in [one for one in self.endpoints if one.address not in wanted]:
            log.info("triton_endpoint_gone", address=endpoint.address, requests_held=endpoint.load)
            self.endpoints.remove(endpoint)
            task = asyncio.create_task(_drain(endpoint))
            self._leaving[task] = endpoint
            task.add_done_callback(self._leaving.pop)
        for address in sorted(wanted - {one.address for one in self.endpoints}):
            log.info("triton_endpoint_found", address=address)
            endpoint = self._connect(address)
            endpoint.start()
            self.endpoints.append(endpoint)

    async def _ask(self, name: str) -> None:
        try:
            self._known[name] = await self._resolve(name)
            self._unresolved.discard(name)
        except (OSError, UnicodeError) as error:
            if name not in self._unresolved:
                log.warning("triton_name_unresolved", name=name, reason=str(error))
            self._unresolved.add(name)


async def _drain(endpoint: Endpoint) -> None:
    while endpoint.load:  # noqa: ASYNC110  it is counted where requests are, for whoever looks
        await asyncio.sleep(LEAVE_SECONDS)
    await endpoint.close()
