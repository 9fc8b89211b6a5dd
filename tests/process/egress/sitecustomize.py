"""Writes down every address outside of this machine that a Python process asks for; run by each that starts.

In the environment: PYTHONPATH names this folder, and EGRESS_LOG the file. Forked children keep the hook.
"""

import ipaddress
import os
import sys

_LOG = os.environ["EGRESS_LOG"]


def _host(event: str, arguments: tuple[object, ...]) -> object:
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        return arguments[0]
    address = arguments[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else None
    return address[0] if isinstance(address, tuple) else None  # else a Unix socket's path, or one that is connected


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(name.removeprefix("::ffff:"))
    except ValueError:
        return name in ("None", "", "localhost")
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith("socket.") and not _is_here(_host(event, arguments)):
        line = f"{' '.join(sys.orig_argv)[:200]}: {event} {_host(event, arguments)}\n"
        log = os.open(_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(log, line.encode())
        os.close(log)


sys.addaudithook(_watch)
