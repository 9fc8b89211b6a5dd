"""The capacity study: every GPU, decoder and architecture; the paper's point; what the answer hangs on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from rich.console import Console
from rich.progress import track

from loadtest.capacity.search import BATCHING, Engine, Load, Objective, Trial, gpus_needed
from loadtest.capacity.simulator import Batching
from querygist.sizing.gpus import GPUS, L20, Gpu
from querygist.sizing.roofline import ARCHITECTURES, KERNEL_SECONDS, PAPER, SENSITIVITY, Architecture
from querygist.sizing.workload import Decoder

PAPER_QUERIES, PAPER_AVERAGE, PAPER_GPUS = 50_000, 0.055, 334
"""QDGenSumRT's abstract (arXiv 2508.20559): 334 L20 GPUs, about 50,000 queries a second, under 55 ms on average."""

PAPER_RATE = PAPER_QUERIES / PAPER_GPUS

PAPER_LENGTHS = ((256, 80), (768, 80))
"""Assumed: 80 tokens of output are what the paper's fine-tuning data aim at; prompts are not published. GPT-2 reads
1,024 tokens: 768 leave room for the output and the draft, 256 are a short page."""

FAST_L20 = replace(L20, name="L20, FP8 478 TFLOPS", fp8=2 * L20.fp8, fp16=2 * L20.fp16)
"""The other figures that are quoted for it."""

_CURVE = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class Question:
    """The question: queries a second, latency at the GPU in seconds, and the share that the cache answers."""

    queries: float
    objective: Objective
    cache_hits: float
    batching: Batching = BATCHING


@dataclass(frozen=True, slots=True)
class Cell:
    """The answer for one engine: its load at the highest rate that holds, and how many are needed; None: none do."""

    gpu: str
    architecture: str
    decoder: str
    kernel_seconds: float
    load: Load | None
    gpus: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """The paper's rate a GPU on an L20 with its architecture, under assumed lengths, and what that would sustain."""

    lengths: tuple[int, int]
    decoder: str
    kernel_seconds: float
    load: Load
    sustained: Load | None


@dataclass(frozen=True, slots=True)
class Study:
    """All that the report shows. `curves`: L20 by architecture and decoder, loads by rising rate."""

    question: Question
    trial: Trial
    table: tuple[Cell, ...]
    sensitivity: tuple[Cell, ...]
    paper: tuple[Point, ...]
    curves: tuple[tuple[str, str, tuple[Load, ...]], ...]


def run(question: Question, trial: Trial, console: Console) -> Study:
    """Simulate; minutes."""
    decoders = tuple(trial.workload.by_name.values())

    def cell(gpu: Gpu, architecture: Architecture, decoder: Decoder, kernel_seconds: float = KERNEL_SECONDS) -> Cell:
        engine = Engine(gpu, architecture, decoder, question.batching, kernel_seconds)
        load = trial.sustained(engine, question.objective)
        gpus = gpus_needed(question.queries, question.cache_hits, load.rate) if load else None
        return Cell(gpu.name, architecture.name, decoder.name, kernel_seconds, load, gpus)

    every = [(gpu, one, how) for one, gpu, how in product(ARCHITECTURES, GPUS.values(), decoders)]
    table = tuple(cell(*what) for what in track(every, "GPUs", console=console))
    variants = [*((L20, seconds) for seconds in SENSITIVITY), (FAST_L20, KERNEL_SECONDS)]
    ranges = [(gpu, one, how, seconds) for one, how, (gpu, seconds) in product(ARCHITECTURES, decoders, variants)]
    sensitivity = tuple(cell(*what) for what in track(ranges, "sensitivity", console=console))
    points = list(product(PAPER_LENGTHS, decoders, SENSITIVITY))
    paper = tuple(_point(*what, trial, question) for what in track(points, "the paper's point", console=console))
    curves = tuple(_curves(table, decoders, trial, question))
    return Study(question, trial, table, sensitivity, paper, curves)


def _point(lengths: tuple[int, int], decoder: Decoder, seconds: float, trial: Trial, question: Question) -> Point:
    engine = Engine(L20, PAPER, decoder, question.batching, seconds)
    alike = replace(trial, workload=replace(trial.workload, requests=(lengths,)))
    sustained = alike.sustained(engine, Objective(PAPER_AVERAGE))
    return Point(lengths, decoder.name, seconds, alike.of(engine, PAPER_RATE), sustained)


def _curves(
    table: tuple[Cell, ...], decoders: tuple[Decoder, ...], trial: Trial, question: Question
) -> Iterator[tuple[str, str, tuple[Load, ...]]]:
    lasting = question.objective.trial_seconds
    tops = {(cell.architecture, cell.decoder): cell.load for cell in table if cell.gpu == L20.name}
    for architecture, decoder in product(ARCHITECTURES, decoders):
        if top := tops[architecture.name, decoder.name]:
            engine = Engine(L20, architecture, decoder, question.batching)
            loads = tuple(trial.of(engine, share * top.rate, seconds=lasting) for share in _CURVE)
            yield architecture.name, decoder.name, loads
