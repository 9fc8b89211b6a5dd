"""The scheduler loop around OpenVINO GenAI's continuous batching: requests join and leave between forward passes.

It has two hosts, the embedded engine's worker process and the Triton model, and knows neither. `step()` holds the GIL
for the whole forward pass, so commands from other threads are seen between passes, which is where they belong.
"""

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino_genai as genai
from numpy.typing import NDArray

from querygist.engines.openvino.decoding_pipeline import Decoding, DecodingPipeline
from querygist.engines.openvino.options import EngineOptions
from querygist.engines.openvino.prompt_lookup import prompt_lookup


@dataclass(frozen=True, slots=True)
class Progress:
    """The tokens one pass added to one request; `finished`: "stop", "length" or "cancelled" on the last; see Chunk."""

    ids: tuple[int, ...]
    drafted: int = 0
    accepted: int = 0
    batch: int = 0
    finished: str | None = None
    error: str | None = None


Sink = Callable[[Progress], None]
"""Takes a request's progress: an empty one when it joins the batch, then one a pass. Called on the thread that runs the
loop; must not block."""


@dataclass(slots=True)
class _Active:
    handle: Any  # openvino_genai's GenerationHandle
    pipeline: DecodingPipeline
    slot: int
    sink: Sink
    decoding: Decoding
    ids: NDArray[np.int64]  # prompt and output; filled up to `length`
    length: int
    prompt_length: int


@dataclass(frozen=True, slots=True)
class _Submit:
    key: str
    ids: Sequence[int]
    decoding: Decoding
    sink: Sink


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: str


class Scheduler:
    """Owns the pipelines. `submit`, `cancel` and `stop` may be called from any thread; `run` is the loop.

    A pipeline drafts for all its requests or for none. Requests that want what the usual one cannot do (no candidates
    where it drafts; a least number of tokens, which the drafting one ignores) go to a plain one, loaded for the first
    of them: a few seconds in which everybody waits.
    """

    def __init__(self, options: EngineOptions) -> None:
        """Load the model; takes seconds. Raises RuntimeError from OpenVINO when it cannot."""
        self._options = options
        usual = DecodingPipeline(options, drafting=options.candidates > 0)
        self._pipelines = {usual.drafting: usual}
        self._commands: queue.SimpleQueue[_Submit | _Cancel | None] = queue.SimpleQueue()
        self._active: dict[str, _Active] = {}

    def submit(self, key: str, ids: Sequence[int], decoding: Decoding, sink: Sink) -> None:
        """Ask for a continuation of `ids`; `sink` hears of every pass."""
        self._commands.put(_Submit(key, ids, decoding, sink))

    def cancel(self, key: str) -> None:
        """Stop a request between two passes; unknown or finished ones are ignored."""
        self._commands.put(_Cancel(key))

    def stop(self) -> None:
        """Make `run` return after the pass under way; requests in flight hear that they are cancelled."""
        self._commands.put(None)

    def run(self) -> None:
        """Step while there is work, sleep while there is none, until `stop`. Raises what a pipeline raises."""
        while self._take_commands():
            for pipeline in {id(active.pipeline): active.pipeline for active in self._active.values()}.values():
                pipeline.step()
            self._deliver()
        for key in list(self._active):
            self._end(key, Progress((), finished="cancelled"))

    def _take_commands(self) -> bool:
        """Carry out what is asked; wait when idle. False when asked to stop."""
        wait = not self._active
        while wait or not self._commands.empty():
            command = self._commands.get()
            wait = False
            if command is None:
                return False
            if isinstance(command, _Submit):
                self._start(command)
            elif (active := self._active.get(command.key)) is not None:
                active.handle.cancel()
                self._end(command.key, Progress((), finished="cancelled"))
        return True

    def _start(self, command: _Submit) -> None:
        decoding = command.decoding
        drafting = decoding.candidates > 0 and not decoding.min_tokens
        prompt = np.asarray(command.ids, dtype=np.int64)
        try:
            if drafting not in self._pipelines:
                self._pipelines[drafting] = DecodingPipeline(self._options, drafting=drafting)
            pipeline = self._pipelines[drafting]
            slot, handle = pipeline.add(prompt, decoding)
        except Exception as error:  # one request's fault is not the others'
            command.sink(Progress((), error=f"the engine refused the request: {type(error).__name__}"))
            return
        ids = np.empty(len(prompt) + decoding.max_new_tokens, dtype=np.int64)
        ids[: len(prompt)] = prompt
        self._active[command.key] = _Active(
            handle, pipeline, slot, command.sink, decoding, ids, len(prompt), len(prompt)
        )
        command.sink(Progress(()))

    def _deliver(self) -> None:
        batch = sum(active.handle.can_read() for active in self._active.values())
        for key, active in list(self._active.items()):
            while key in self._active and active.handle.can_read():
                for output in active.handle.read().values():
                    self._advance(key, active, output.generated_ids, output.finish_reason, batch)
            status = active.handle.get_status()
            if key in self._active and status != genai.GenerationStatus.RUNNING:  # it ended without a last token
                out_of_memory = status == genai.GenerationStatus.IGNORED
                error = "out of memory for keys and values" if out_of_memory else f"it ended as {status.name}"
                self._end(key, Progress((), error=error))

    def _advance(
        self, key: str, active: _Active, ids: Sequence[int], reason: genai.GenerationFinishReason, batch: int
    ) -> None:
        drafted = self._drafted(active)
        new = tuple(int(token) for token in ids)
        accepted = max(0, min(len(new) - 1, drafted))
        reasons = {genai.GenerationFinishReason.STOP: "stop", genai.GenerationFinishReason.LENGTH: "length"}
        finished = reasons.get(reason)
        if new and new[-1] == active.decoding.end_id:
            new, finished = new[:-1], "stop"
        active.ids[active.length : active.length + len(new)] = new
        if (length := _stopped_at(active, active.length + len(new))) is not None:
            new = new[: length - active.length]
            if finished is None:
                active.handle.cancel()
            finished = "stop"
        active.length += len(new)
        progress = Progress(new, drafted, accepted, batch, finished)
        if finished:
            self._end(key, progress)
        else:
            active.sink(progress)

    def _drafted(self, active: _Active) -> int:
        made = active.length - active.prompt_length
        if not active.pipeline.drafting or not made:  # the pass that ends the prefill verifies nothing
            return 0
        left = active.decoding.max_new_tokens - made - 1
        tokens = min(active.decoding.candidates, left)
        return len(prompt_lookup(active.ids[: active.length], tokens=tokens, ngram=self._options.ngram))

    def _end(self, key: str, progress: Progress) -> None:
        active = self._active.pop(key)
        active.pipeline.free(active.slot)
        active.sink(progress)


def _stopped_at(active: _Active, length: int) -> int | None:
    """Return where the first stop sequence ends that ends among the newest ids, up to `length`."""
    for end in range(active.length + 1, length + 1):
        for sequence in active.decoding.stop_sequences:
            start = end - len(sequence)
            if start >= active.prompt_length and tuple(active.ids[start:end]) == sequence:
                return end
    return None
