"""Tokens by a script: the scheduler's place is taken, everything around it is the CPU model's.

The script is a JSON file named by the model parameter `script`, read again whenever it changes, so that a test decides
what happens next while the server runs.
"""

import json
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.scheduler import Progress, Sink


@dataclass(frozen=True)
class Script:
    """Each request gets `tokens` ids, copied from the middle of its prompt, `per_pass` in a pass of `pass_seconds`.

    After that many passes of a request: `hang_after` falls silent for all requests until the file changes, `die_after`
    ends the process, `error_after` fails the request. `hold_seconds` keeps Triton's execute() busy for each request.
    Only prompts longer than `spare` ids are treated so, and not the prompt of `known`, which gets its answer (see
    `querygist.engines.base.KnownAnswer`): canaries are answered in any case, unless `spare` is 0.
    """

    tokens: int = 24
    per_pass: int = 6
    pass_seconds: float = 0.0
    hang_after: int | None = None
    die_after: int | None = None
    error_after: int | None = None
    hold_seconds: float = 0.0
    spare: int = 1
    known: Mapping[str, Sequence[int]] | None = None

    def spares(self, ids: Sequence[int]) -> bool:
        """True for a prompt that is answered in any case."""
        return self.spare > 0 and (len(ids) <= self.spare or self.answer(ids) is not None)

    def answer(self, ids: Sequence[int]) -> Sequence[int] | None:
        """Return the answer known to this prompt."""
        return self.known["answer"] if self.known and list(ids) == list(self.known["prompt"]) else None


@dataclass
class _Running:
    ids: Sequence[int]
    left: list[int]
    sink: Sink
    passes: int = 0


class ScriptedSource:
    """See `querygist.triton_backend.model.TokenSource`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = 0
        self._script = Script()
        self._commands: queue.SimpleQueue[tuple[str, _Running | None]] = queue.SimpleQueue()
        self._running: dict[str, _Running] = {}
        self._stopped = threading.Event()

    def submit(self, key: str, ids: Sequence[int], decoding: Decoding, sink: Sink) -> None:
        """Called by Triton's execute(), which waits for this."""
        script = self._read()
        if not script.spares(ids):
            time.sleep(script.hold_seconds)
        start = max(0, len(ids) // 2 - script.tokens // 2)
        reply = list(script.answer(ids) or ids[start : start + min(script.tokens, decoding.max_new_tokens)])
        self._commands.put((key, _Running(ids, reply, sink)))

    def cancel(self, key: str) -> None:
        """End one request."""
        self._commands.put((key, None))

    def stop(self) -> None:
        """Make `run` return."""
        self._stopped.set()
        self._commands.put(("", None))

    def run(self) -> None:
        """One pass after another over all requests."""
        while not self._stopped.is_set():
            while not self._running or not self._commands.empty():
                key, request = self._commands.get()
                if self._stopped.is_set():
                    return
                if request is not None:
                    self._running[key] = request
                    request.sink(Progress(()))
                elif (gone := self._running.pop(key, None)) is not None:
                    gone.sink(Progress((), finished="cancelled"))
            script = self._read()
            if script.pass_seconds:
                time.sleep(script.pass_seconds)
            batch = len(self._running)
            for key, request in list(self._running.items()):
                self._pass(key, request, script, batch)

    def _pass(self, key: str, request: _Running, script: Script, batch: int) -> None:
        if not script.spares(request.ids):
            if request.passes == script.die_after:
                os._exit(1)
            if request.passes == script.error_after:
                del self._running[key]
                request.sink(Progress((), error="the script says so"))
                return
            if request.passes == script.hang_after:
                self._hang(script)
        request.passes += 1
        new, request.left = request.left[: script.per_pass], request.left[script.per_pass :]
        if request.left:
            request.sink(Progress(tuple(new), len(new) - 1, len(new) - 1, batch))
        else:
            del self._running[key]
            request.sink(Progress(tuple(new), len(new) - 1, len(new) - 1, batch, "stop"))

    def _hang(self, script: Script) -> None:
        while not self._stopped.is_set() and self._read() == script:
            time.sleep(0.01)

    def _read(self) -> Script:
        changed = self._path.stat().st_mtime_ns
        if changed != self._changed:
            self._script = Script(**json.loads(self._path.read_text()))
            self._changed = changed  # last: two threads read here
        return self._script
