"""A worker's end: its socket to the gateway. Needs nothing beside Python, so that any worker can use it."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any


class Gateway:
    """The process that started this one as `command FD OPTIONS`. `options`: what it said."""

    def __init__(self) -> None:
        """Take the socket and the options from the command line.

        From here on a Ctrl-C meant for the gateway is ignored: the gateway ends its workers when it has drained.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._socket = socket.socket(fileno=int(sys.argv[1]))
        self._sending = threading.Lock()
        self.options: dict[str, Any] = json.loads(sys.argv[2])

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, from any thread; end the process when nobody is there to take it."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError:
            os._exit(0)

    def listen(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Hand every message to `take`, on a thread of its own; end the process when the gateway has gone."""
        threading.Thread(target=self._read, args=(take,), daemon=True).start()

    def _read(self, take: Callable[[dict[str, Any]], None]) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                take(json.loads(line))
        os._exit(0)  # the gateway is gone; a pass under way is of no use to anyone
