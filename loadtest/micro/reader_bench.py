"""Compare the CPU plugin's options for the reader: time of one page of about 300 words, and distance from float32.

The scorer alone, without its process. Wall time is the least of all passes, since anything else on the machine only
adds to it; CPU time is their median. An instruction set that other machines lack is taken away with oneDNN's variable:
ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 has no AMX (the row "chosen" is then still this machine's own).
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from querygist import json_files
from querygist.artifact.reader_card import ReaderCard
from querygist.evaluation.report_files import number, table
from querygist.reader.input_format import InputEncoder, ReaderInput
from querygist.reader.pages import load_tokenizer
from querygist.reader.scorer import Compilation, Scorer, compilation
from querygist.reader.windows import WindowScores
from querygist.text.sentences import bounded_spans

_PAGE_TOKENS = 450
_PASSES = 60


@dataclass(frozen=True)
class Measurement:
    """Times of a pass over one page, in ms. Errors: mean distance from float32 by the standard deviation of the
    float32 logits (of the units of a page; of the pages). `best`: share of pages whose best unit stays the best.
    """

    name: str
    wall_ms: float
    cpu_ms: float
    unit_error: float
    page_error: float
    best: float


def variants(threads: int) -> dict[str, Compilation]:
    """Return compilations by name; the first is float32 throughout, what the others are compared with."""
    precise = compilation(threads, precise=True)

    def changed(name: str, value: object, *, expanded: bool = False) -> Compilation:
        return Compilation({**precise.options, name: value}, expanded)

    found = {
        "f32": precise,
        "chosen": compilation(threads),
        "bf16": changed("INFERENCE_PRECISION_HINT", "bf16"),
        "bf16, matrices expanded": changed("INFERENCE_PRECISION_HINT", "bf16", expanded=True),
        "f16": changed("INFERENCE_PRECISION_HINT", "f16"),
    }
    for size in (32, 64, 128):
        found[f"f32, int8 activations in groups of {size}"] = changed("DYNAMIC_QUANTIZATION_GROUP_SIZE", size)
    return found


def run(folder: Path, data: Sequence[dict[str, str]], threads: int, out: Path, console: Console) -> None:
    """Measure every variant with the reader in `folder`, on these rows, and write the comparison."""
    card = ReaderCard.load(folder)
    files = [folder / entry.file for entry in (card.weights.embeddings, card.weights.layers)]
    encoder = InputEncoder(load_tokenizer(folder / card.tokenizer.file), card.limits)
    inputs = [_input(encoder, row) for row in data]
    page = min(inputs, key=lambda one: abs(len(one.ids) - _PAGE_TOKENS))
    results: list[Measurement] = []
    exact: list[WindowScores] = []
    for name, chosen in variants(threads).items():
        scorer = Scorer(files, chosen)
        scores = [scorer.score([one])[0] for one in inputs]
        exact = exact or scores
        wall, cpu = _times(scorer, page)
        results.append(Measurement(name, 1000 * min(wall), 1000 * statistics.median(cpu), *_distance(exact, scores)))
    rows = (
        [one.name, number(one.wall_ms, 1), number(one.cpu_ms, 1), number(one.unit_error, 3), number(one.page_error, 3),
         f"{one.best:.0%}"]
        for one in results
    )  # fmt: skip
    console.print(table(["options", "wall, ms", "CPU, ms", "unit error", "page error", "same best"], rows))
    kept = {"tokens": len(page.ids), "pages": len(inputs), "threads": threads, "results": list(map(asdict, results))}
    json_files.save(out, kept, indent=1)


def _input(encoder: InputEncoder, row: dict[str, str]) -> ReaderInput:
    texts = [row["document"][start:end] for start, end in bounded_spans(row["document"])]
    return encoder.encode(row["query"], texts, [()] * len(texts))


def _times(scorer: Scorer, page: ReaderInput) -> tuple[list[float], list[float]]:
    """Return seconds of the clock and of all cores, for each pass."""
    wall, cpu = [], []
    for _ in range(_PASSES):
        began, used = time.perf_counter(), time.process_time()
        scorer.score([page])
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return wall, cpu


def _distance(exact: Sequence[WindowScores], found: Sequence[WindowScores]) -> tuple[float, float, float]:
    """Return unit error, page error and the share of pages with the same best unit."""
    long = [(one.units, other.units) for one, other in zip(exact, found, strict=True) if len(one.units) > 1]
    units = [np.abs(np.subtract(one, other)).mean() / np.std(one) for one, other in long]
    pages = np.array([[one.page, other.page] for one, other in zip(exact, found, strict=True)])
    same = [np.argmax(one) == np.argmax(other) for one, other in long]
    page_error = np.abs(pages[:, 0] - pages[:, 1]).mean() / pages[:, 0].std()
    return float(np.mean(units)), float(page_error), float(np.mean(same))
