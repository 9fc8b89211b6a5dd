"""GPUs by their makers' figures: the table gpus.toml, which says where each figure was read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from querygist import json_files


@dataclass(frozen=True, slots=True)
class Gpu:
    """`bandwidth` in bytes a second, `fp8` and `fp16` dense tensor FLOP a second (no sparsity), `memory` in bytes."""

    name: str
    bandwidth: float
    fp8: float
    fp16: float
    memory: float
    source: str
    confidence: Literal["high", "medium"]


@dataclass(frozen=True, slots=True)
class _Table:
    gpus: tuple[Gpu, ...]


GPUS = {gpu.name: gpu for gpu in json_files.load(_Table, Path(__file__).with_suffix(".toml"), "table of GPUs").gpus}
L20 = GPUS["L20"]
