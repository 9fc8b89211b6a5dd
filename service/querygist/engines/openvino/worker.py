"""The embedded engine's process: a `Scheduler` that speaks JSON lines over one socket.

    python -m querygist.engines.openvino.worker FD OPTIONS

In:   {"submit": key, "ids": [...], "max_new_tokens": n}   {"cancel": key}
Out:  {"loaded": true}, then one line for each request and pass: {"key": key, "ids": [...], ...} (see `Progress`)

It ends when the gateway's end of the socket closes, so it never outlives its gateway.
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.scheduler import Progress, Scheduler
from querygist.worker.gateway import Gateway


def main() -> None:
    """Load the model, say so, and run the loop until the gateway hangs up."""
    gateway = Gateway()
    options = EngineOptions(**gateway.options)
    scheduler = Scheduler(replace(options, model=Path(options.model)))
    gateway.send({"loaded": True})
    gateway.listen(partial(_take, gateway, scheduler, options))
    scheduler.run()


def _take(gateway: Gateway, scheduler: Scheduler, options: EngineOptions, message: dict[str, Any]) -> None:
    if "submit" in message:
        key = message["submit"]
        decoding = Decoding(message["max_new_tokens"], options.end_id, options.candidates)
        scheduler.submit(key, message["ids"], decoding, partial(_report, gateway, key))
    else:
        scheduler.cancel(message["cancel"])


def _report(gateway: Gateway, key: str, progress: Progress) -> None:
    gateway.send({"key": key} | asdict(progress))


if __name__ == "__main__":
    main()
