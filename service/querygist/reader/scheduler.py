"""Inputs of all requests in flight to passes of the network: batches of like length, the oldest request first.

Knows neither OpenVINO nor the socket: it is given what scores a batch.
"""

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from querygist.reader.input_format import ReaderInput
from querygist.reader.windows import WindowScores

MOST_TOKENS = 2048
"""Of a pass, padding included. Rows of 450 tokens are no cheaper together than apart, those of 64 by a quarter; what a
larger batch would cost is that a cancelled or a new request waits for its end."""

_LIKE = 0.75
"""A batch's shortest input has at least this share of its longest one's tokens."""

CANCELLED = "cancelled"

Score = Callable[[Sequence[ReaderInput]], Sequence[WindowScores]]
Sink = Callable[[Sequence[WindowScores] | str], None]
"""Takes a request's scores in the order of its inputs, or why there are none. Must not block."""


@dataclass(slots=True, eq=False)
class _Request:
    sink: Sink
    inputs: Sequence[ReaderInput]
    scores: dict[int, WindowScores] = field(default_factory=dict)  # by the index of the input


@dataclass(frozen=True, slots=True)
class _Submit:
    key: str
    inputs: Sequence[ReaderInput]
    sink: Sink


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: str


_Waiting = tuple[str, int]
"""A request's key and the index of one of its inputs."""


class Scheduler:
    """`submit`, `cancel` and `stop` may be called from any thread; `run` is the loop."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self._commands: queue.SimpleQueue[_Submit | _Cancel | None] = queue.SimpleQueue()
        self._requests: dict[str, _Request] = {}  # oldest first

    def submit(self, key: str, inputs: Sequence[ReaderInput], sink: Sink) -> None:
        """Ask for the scores of inputs."""
        self._commands.put(_Submit(key, inputs, sink))

    def cancel(self, key: str) -> None:
        """Drop a request before the next pass; its sink is told CANCELLED. Unknown ones are ignored."""
        self._commands.put(_Cancel(key))

    def stop(self) -> None:
        """Make `run` return after the pass under way."""
        self._commands.put(None)

    def run(self) -> None:
        """Make passes while there is work, sleep while there is none, until `stop`."""
        while self._take_commands():
            if batch := self._next_batch():
                self._run(batch)

    def _take_commands(self) -> bool:
        """Carry out what is asked; wait when idle. False when asked to stop."""
        wait = not self._requests
        while wait or not self._commands.empty():
            command = self._commands.get()
            wait = False
            if command is None:
                return False
            if isinstance(command, _Submit):
                self._requests[command.key] = _Request(command.sink, command.inputs)
                self._finish(command.key)  # if there is nothing to score
            elif (request := self._requests.pop(command.key, None)) is not None:
                request.sink(CANCELLED)
        return True

    def _next_batch(self) -> list[_Waiting]:
        """The oldest input that waits, and others of like length in their order."""
        batch: list[_Waiting] = []
        shortest = longest = 0
        for key, request in self._requests.items():
            for index, one in enumerate(request.inputs):
                if index in request.scores:
                    continue
                length = len(one.ids)
                low, high = min(shortest, length) if batch else length, max(longest, length)
                if not batch or (low >= _LIKE * high and high * (len(batch) + 1) <= MOST_TOKENS):
                    batch.append((key, index))
                    shortest, longest = low, high
        return batch

    def _run(self, batch: Sequence[_Waiting]) -> None:
        """Score a batch. If it cannot be, each request's part alone, so that one request's fault is not the others'."""
        try:
            found = self._score([self._requests[key].inputs[index] for key, index in batch])
        except Exception as error:
            keys = dict.fromkeys(key for key, _ in batch)
            if len(keys) == 1:
                self._requests.pop(batch[0][0]).sink(type(error).__name__)
                return
            for own in keys:
                self._run([(key, index) for key, index in batch if key == own])
            return
        for (key, index), scores in zip(batch, found, strict=True):
            self._requests[key].scores[index] = scores
        for key in dict.fromkeys(key for key, _ in batch):
            self._finish(key)

    def _finish(self, key: str) -> None:
        """Answer a request whose inputs have all been scored."""
        request = self._requests[key]
        if len(request.scores) == len(request.inputs):
            del self._requests[key]
            request.sink([request.scores[index] for index in range(len(request.inputs))])
