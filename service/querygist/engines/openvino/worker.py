"""The embedded engine's process: a `Scheduler` that speaks JSON lines over one socket.

    python -m querygist.engines.openvino.worker FD OPTIONS

In:   {"submit": key, "ids": [...], "max_new_tokens": n}   {"cancel": key}
Out:  {"loaded": true}, then one line for each request and pass: {"key": key, "ids": [...], ...} (see `Progress`)

It ends when the gateway's end of the socket closes, so it never outlives its gateway.
"""

import json
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.scheduler import Progress, Scheduler


def main() -> None:
    """Load the model, say so, and run the loop until the gateway hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C meant for the gateway; the gateway ends us when it has drained
    connection = socket.socket(fileno=int(sys.argv[1]))
    options = EngineOptions(**json.loads(sys.argv[2]))
    scheduler = Scheduler(replace(options, model=Path(options.model)))
    _send(connection, {"loaded": True})
    threading.Thread(target=_read, args=(connection, scheduler, options), daemon=True).start()
    scheduler.run()


def _read(connection: socket.socket, scheduler: Scheduler, options: EngineOptions) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            message = json.loads(line)
            if "submit" in message:
                key = message["submit"]
                decoding = Decoding(message["max_new_tokens"], options.end_id, options.candidates)
                scheduler.submit(key, message["ids"], decoding, partial(_report, connection, key))
            else:
                scheduler.cancel(message["cancel"])
    os._exit(0)  # the gateway is gone; a pass under way is of no use to anyone


def _report(connection: socket.socket, key: str, progress: Progress) -> None:
    _send(connection, {"key": key} | asdict(progress))


def _send(connection: socket.socket, message: dict[str, object]) -> None:
    try:
        connection.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
