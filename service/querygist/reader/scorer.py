"""The compiled network, and how it is compiled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino

from querygist.reader import network
from querygist.reader.batching import padded
from querygist.reader.input_format import CLS, SEP, ReaderInput
from querygist.reader.windows import WindowScores

_STEP = 16
"""Lengths are padded to multiples of it: every new shape costs the CPU plugin about 10 ms, and AMX works in tiles of 16
rows."""


@dataclass(frozen=True, slots=True)
class Compilation:
    """The CPU plugin's properties, and the form of the matrices that goes with them; see `network.build`."""

    options: Mapping[str, Any]
    expanded: bool = False


def compilation(threads: int, *, precise: bool = False) -> Compilation:
    """Return how this machine compiles for `threads` threads (0: one for each core). `precise`: all in float32.

    With AMX bfloat16 is the fastest, and closer to float32 than int8 activations; int8 matrices would be expanded
    again in every pass, a fifth of its time. Without AMX OpenVINO would choose bfloat16 too where the CPU has AVX-512
    BF16, and it is slowest; float32 with activations quantized in groups of 32 is two thirds of float32's time, and
    larger groups cost more of the order than they save. Times and errors: `python -m loadtest reader-bench`.
    """
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    if precise:
        return Compilation(options | {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0})
    if _has_amx():
        return Compilation(options | {"INFERENCE_PRECISION_HINT": "bf16"}, expanded=True)
    return Compilation(options | {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32})


class Scorer:
    """A compiled reader; for one thread."""

    def __init__(self, files: Iterable[Path], chosen: Compilation) -> None:
        """Build and compile; takes a second. Raises what `network.build` raises, and RuntimeError from OpenVINO."""
        model, self._sizes = network.build(files, expanded=chosen.expanded)
        self._request = openvino.Core().compile_model(model, "CPU", dict(chosen.options)).create_infer_request()

    def score(self, inputs: Sequence[ReaderInput]) -> list[WindowScores]:
        """Return the scores of each input, in one forward pass. Raises ValueError for one the network cannot take."""
        batch = padded(inputs, _STEP)
        if batch.ids.min() < 0 or batch.ids.max() >= self._sizes.vocabulary or batch.types.max() >= self._sizes.types:
            raise ValueError("an id that the network does not know")  # it would read beyond its tables
        if batch.ids.shape[1] > self._sizes.positions:
            raise ValueError(f"{batch.ids.shape[1]} tokens; the network reads {self._sizes.positions} at most")
        found = self._request.infer(
            {"ids": batch.ids, "types": batch.types, "mask": batch.mask, "places": batch.places}, share_inputs=True
        )
        return [
            WindowScores(
                found["units"][row, : len(one.places)].tolist(),
                found["similarities"][row, : len(one.places)].tolist(),
                float(found["page"][row]),
            )
            for row, one in enumerate(inputs)
        ]

    def warm_up(self, max_tokens: int) -> None:
        """Run one input of each length up to `max_tokens`, so that no request waits for kernels to be made."""
        for length in (*range(_STEP, max_tokens, _STEP), max_tokens):
            self.score([ReaderInput([CLS, *[SEP] * (length - 1)], [0] * length, [length - 1])])


def _has_amx() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return " amx_bf16" in flags
