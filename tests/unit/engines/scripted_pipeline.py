"""OpenVINO GenAI's pipeline by script, behind the seam the scheduler uses (`openvino.decoding_pipeline`).

Everything happens on the thread that runs the loop, so a test is the same on every run: what other threads would ask
for during a forward pass is asked for from inside of it (`during`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openvino_genai import GenerationFinishReason, GenerationStatus

from querygist.engines.openvino.decoding_pipeline import Decoding
from querygist.engines.openvino.options import EngineOptions

END_ID = 2

Pass = Sequence[int] | GenerationFinishReason | GenerationStatus
"""What one pass does to a request: adds these ids (none: it is still prefilling; END_ID ends it), or ends it so."""


@dataclass(frozen=True)
class Output:
    """As GenAI's GenerationOutput: what one pass added."""

    generated_ids: Sequence[int]
    finish_reason: GenerationFinishReason


@dataclass
class Handle:
    """As GenAI's GenerationHandle."""

    passes: list[Pass]
    unread: list[Output] = field(default_factory=list)
    status: GenerationStatus = GenerationStatus.RUNNING
    cancels: int = 0

    def advance(self) -> None:
        """One pass."""
        done = self.passes.pop(0)
        if isinstance(done, GenerationStatus):
            self.status = done
        elif isinstance(done, GenerationFinishReason):
            self.status = GenerationStatus.FINISHED
            self.unread.append(Output((), done))
        elif done:
            ended = done[-1] == END_ID
            self.status = GenerationStatus.FINISHED if ended else self.status
            self.unread.append(Output(done, GenerationFinishReason.STOP if ended else GenerationFinishReason.NONE))

    def can_read(self) -> bool:
        return bool(self.unread)

    def read(self) -> dict[int, Output]:
        return {0: self.unread.pop(0)}

    def get_status(self) -> GenerationStatus:
        return self.status

    def cancel(self) -> None:
        self.cancels += 1
        self.status = GenerationStatus.CANCEL


class ScriptedPipeline:
    """Stands in for a pipeline: a prompt's first id names its script."""

    def __init__(self, *, drafting: bool, scripts: dict[int, list[Pass]]) -> None:
        self.drafting = drafting
        self.handles: dict[int, Handle] = {}  # by the prompt's first id
        self.slots: set[int] = set()  # taken
        self.passes = 0
        self.during: dict[int, Callable[[], Any]] = {}  # what happens inside of the n-th pass
        self._scripts = scripts

    def add(self, prompt: NDArray[np.int64], decoding: Decoding) -> tuple[int, Handle]:
        name = int(prompt[0])
        if name not in self._scripts:
            raise RuntimeError("GenAI refuses the request")
        slot = next(number for number in range(100) if number not in self.slots)
        self.slots.add(slot)
        self.handles[name] = Handle(list(self._scripts[name]))
        return slot, self.handles[name]

    def step(self) -> None:
        self.passes += 1
        for handle in self.handles.values():
            if handle.status == GenerationStatus.RUNNING:
                handle.advance()
        self.during.pop(self.passes, lambda: None)()

    def free(self, slot: int) -> None:
        self.slots.remove(slot)


@dataclass
class Pipelines:
    """The pipelines a scheduler has loaded, by whether they draft."""

    scripts: dict[int, list[Pass]]
    loaded: dict[bool, ScriptedPipeline] = field(default_factory=dict)

    def load(self, options: EngineOptions, *, drafting: bool) -> ScriptedPipeline:
        assert drafting not in self.loaded, "a pipeline takes seconds and gigabytes: each kind is loaded once"
        self.loaded[drafting] = ScriptedPipeline(drafting=drafting, scripts=self.scripts)
        return self.loaded[drafting]
