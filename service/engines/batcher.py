"""The scheduler loop around OpenVINO GenAI's continuous batching: requests join and leave between forward passes.

It has two hosts, the embedded engine's worker process and the Triton model, and knows neither. `step()` holds the GIL
for the whole forward pass, so commands from other threads are seen between passes, which is where they belong.
"""

import queue
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import openvino
import openvino_genai as genai
from numpy.typing import NDArray

from service.engines.candidates import prompt_lookup
from service.engines.options import EngineOptions


@dataclass(frozen=True, slots=True)
class Progress:
    """What one pass added to one request; `finished` is "stop", "length" or "cancelled" on the last; see base.Chunk."""

    ids: tuple[int, ...]
    drafted: int = 0
    accepted: int = 0
    batch: int = 0
    finished: str | None = None
    error: str | None = None


Sink = Callable[[Progress], None]
"""Takes a request's progress. Called on the thread that runs the loop; must not block."""


@dataclass(slots=True)
class _Active:
    handle: Any  # openvino_genai's GenerationHandle
    slot: int
    sink: Sink
    ids: NDArray[np.int64]  # prompt and output; filled up to `length`
    length: int
    prompt_length: int
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class _Submit:
    key: str
    ids: Sequence[int]
    max_new_tokens: int
    sink: Sink


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: str


class Batcher:
    """Owns one pipeline. `submit` and `cancel` may be called from any thread; `run` is the loop."""

    def __init__(self, options: EngineOptions) -> None:
        """Load the model; takes seconds. Raises RuntimeError from OpenVINO when it cannot."""
        self._options = options
        self._pipeline = _pipeline(options)
        self._commands: queue.SimpleQueue[_Submit | _Cancel] = queue.SimpleQueue()
        self._active: dict[str, _Active] = {}
        # Request ids are reused, because the pipeline keeps statistics for every id it has ever seen; the one freed
        # last is reused last, because a cancelled request stays in the pipeline until the next pass.
        self._slots = deque(range(4 * options.max_batch))

    def submit(self, key: str, ids: Sequence[int], max_new_tokens: int, sink: Sink) -> None:
        """Ask for a greedy continuation of `ids`; `sink` hears of every pass."""
        self._commands.put(_Submit(key, ids, max_new_tokens, sink))

    def cancel(self, key: str) -> None:
        """Stop a request between two passes; unknown or finished ones are ignored."""
        self._commands.put(_Cancel(key))

    def run(self) -> NoReturn:
        """Step while there is work, sleep while there is none. Raises what the pipeline raises."""
        while True:
            self._take_commands()
            if self._active:
                self._pipeline.step()
                self._deliver()

    def _take_commands(self) -> None:
        """Carry out what is asked; waits when idle."""
        wait = not self._active
        while wait or not self._commands.empty():
            command = self._commands.get()
            wait = False
            if isinstance(command, _Submit):
                self._start(command)
            elif (active := self._active.get(command.key)) is not None:
                active.handle.cancel()
                self._end(command.key, Progress((), finished="cancelled"))

    def _start(self, command: _Submit) -> None:
        options = self._options
        config = genai.GenerationConfig()
        config.max_new_tokens = command.max_new_tokens
        config.do_sample = False
        config.eos_token_id = options.end_id
        config.stop_token_ids = {options.end_id}
        if options.candidates:
            config.num_assistant_tokens = options.candidates
            config.max_ngram_size = options.ngram
        prompt = np.asarray(command.ids, dtype=np.int64)
        slot = self._slots.popleft()
        try:
            handle = self._pipeline.add_request(slot, openvino.Tensor(prompt[np.newaxis, :].copy()), config)
        except RuntimeError as error:
            self._slots.append(slot)
            command.sink(Progress((), error=f"the engine refused the request: {type(error).__name__}"))
            return
        ids = np.empty(len(prompt) + command.max_new_tokens, dtype=np.int64)
        ids[: len(prompt)] = prompt
        self._active[command.key] = _Active(
            handle, slot, command.sink, ids, len(prompt), len(prompt), command.max_new_tokens
        )

    def _deliver(self) -> None:
        batch = len(self._active)
        for key, active in list(self._active.items()):
            while active.handle.can_read():
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
        if new and new[-1] == self._options.end_id:
            new, finished = new[:-1], "stop"
        active.ids[active.length : active.length + len(new)] = new
        active.length += len(new)
        progress = Progress(new, drafted, accepted, batch, finished)
        if finished:
            self._end(key, progress)
        else:
            active.sink(progress)

    def _drafted(self, active: _Active) -> int:
        made = active.length - active.prompt_length
        if not self._options.candidates or not made:  # the pass that ends the prefill verifies nothing
            return 0
        left = active.max_new_tokens - made - 1
        tokens = min(self._options.candidates, left)
        return len(prompt_lookup(active.ids[: active.length], tokens=tokens, ngram=self._options.ngram))

    def _end(self, key: str, progress: Progress) -> None:
        active = self._active.pop(key)
        self._slots.append(active.slot)
        active.sink(progress)


def _pipeline(options: EngineOptions) -> genai.ContinuousBatchingPipeline:
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = options.kv_cache_gb
    scheduler.max_num_batched_tokens = options.pass_tokens
    scheduler.max_num_seqs = options.max_batch
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = True
    properties: dict[str, object] = {}
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
    if options.candidates:
        properties["prompt_lookup"] = True
    if options.precision == "fp32":
        properties |= {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
    return genai.ContinuousBatchingPipeline(str(options.model), scheduler, "CPU", properties)
