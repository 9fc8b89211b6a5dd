"""TCP ports for the servers that are about to be started."""

import contextlib
import errno
import secrets
import socket
from collections.abc import Sequence

from querygist.errors import ConfigurationError

FREE = range(20_000, 32_768)
"""Below the ports that Linux gives to outgoing connections: while a server is restarted, none of those may take its
port, nor a client that tries again and again connect to itself.
"""

ATTEMPTS = 100


def claim(wanted: Sequence[tuple[str, int]]) -> list[int]:
    """Return the ports of (host, port) pairs, a free one for each 0; all different, and free at this moment.

    Raises ConfigurationError naming a port that is taken.
    """
    with contextlib.ExitStack() as held:
        return [_claim(host, port, held) for host, port in wanted]


def _claim(host: str, port: int, held: contextlib.ExitStack) -> int:
    for candidate in [port] if port else (secrets.choice(FREE) for _ in range(ATTEMPTS)):
        try:
            held.enter_context(_listening(host, candidate))
            return candidate
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port:
                raise ConfigurationError(
                    f"Cannot listen on {host} port {candidate}: {error.strerror or error}. "
                    "Choose another port; 0 picks a free one."
                ) from None
    raise ConfigurationError(f"No free port on {host} in {ATTEMPTS} attempts between {FREE.start} and {FREE.stop}.")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)
