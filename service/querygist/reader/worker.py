"""The reader's process: a `Scheduler` over the compiled network that speaks JSON lines over one socket.

    python -m querygist.reader.worker FD OPTIONS

In:   {"read": key, "inputs": [{"ids": [...], "types": [...], "places": [...]}, ...]}   {"cancel": key}
Out:  {"loaded": true}, then one line for each request, with one element for each input:
      {"key": key, "units": [[...], ...], "similarities": [[...], ...], "page": [...]}   {"key": key, "error": "..."}

OPTIONS: `files`, the weights; `threads`; `max_tokens`, the length of the longest input; `precise`, all in float32.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from querygist.reader.input_format import ReaderInput
from querygist.reader.scheduler import Scheduler
from querygist.reader.scorer import Scorer, compilation
from querygist.reader.windows import WindowScores
from querygist.worker.gateway import Gateway

_DIGITS = 6


def main() -> None:
    """Compile the network, say so, and score until the gateway hangs up."""
    gateway = Gateway()
    options = gateway.options
    chosen = compilation(options["threads"], precise=options["precise"])
    scorer = Scorer([Path(file) for file in options["files"]], chosen)
    scorer.warm_up(options["max_tokens"])
    scheduler = Scheduler(scorer.score)
    gateway.send({"loaded": True})
    gateway.listen(partial(_take, gateway, scheduler))
    scheduler.run()


def _take(gateway: Gateway, scheduler: Scheduler, message: dict[str, Any]) -> None:
    if "cancel" in message:
        scheduler.cancel(message["cancel"])
        return
    report = partial(_report, gateway, message["read"])
    try:
        inputs = [ReaderInput(**one) for one in message["inputs"]]
    except Exception as error:  # one request's fault must not end the thread that reads all
        report(type(error).__name__)
    else:
        scheduler.submit(message["read"], inputs, report)


def _report(gateway: Gateway, key: str, found: Sequence[WindowScores] | str) -> None:
    if isinstance(found, str):
        gateway.send({"key": key, "error": found})
        return
    gateway.send(
        {
            "key": key,
            "units": [_rounded(one.units) for one in found],
            "similarities": [_rounded(one.similarities) for one in found],
            "page": _rounded([one.page for one in found]),
        }
    )


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, _DIGITS) for value in values]


if __name__ == "__main__":
    main()
