"""The study's report: Markdown for people, JSON for programs, and plots.

Passes are measured. What a pass costs on a GPU is a roofline, and the text says so.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from querygist.artifact.manifest import Manifest
from querygist.files import replacing
from querygist.sizing.gpus import GPUS
from training.lookahead import plots
from training.lookahead.compression import BATCHES, GROUPS, Row, Speedups, compression, speedups
from training.lookahead.ngram_pool import Shape

MARKDOWN, JSON = "lookahead.md", "lookahead.json"

PAPER, TEXT_ALONE = Shape(4, 6, 4), Shape(0, 6, 4)
"""What QDGenSumRT is served with (arXiv 2508.20559), and the same without the window."""


def write(folder: Path, rows: Sequence[Row], manifest: Manifest) -> Path:
    """Write the report into `folder`; returns the Markdown's path. Each row has all shapes without a window; some rows
    have those with one as well.
    """
    some = [row for row in rows if any(shape.window for shape in row.given)] or rows
    shapes = sorted({shape for row in rows for shape in row.given}, key=lambda shape: shape.numbers)
    shown = [shape for shape in (PAPER, TEXT_ALONE) if shape in shapes]
    context = round(mean(row.prompt_tokens + mean(map(sum, row.given.values())) / 2 for row in rows))
    gains = speedups(shapes, some, context)
    numbers = {
        "model": {"name": manifest.name, "version": manifest.version},
        "rows": len(rows),
        "rows_with_windows": len(some),
        "context_tokens": context,
        "compression": [
            {"shape": shape.numbers, "group": group, **asdict(found)}
            for shape in shapes
            for group, wanted in GROUPS.items()
            if (found := compression(filter(wanted, rows), shape))
        ],
        "speedup": [
            {"gpu": gpu, "batch": batch, "shape": shape.numbers, "speedup": gain}
            for (gpu, batch, shape), gain in gains.items()
        ],
    }
    parts = (
        _head(rows, some, manifest),
        _compressions(rows, some, shapes),
        _acceptance(some, shown),
        _gains(gains, shapes, shown, context),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        (JSON, json.dumps(numbers, indent=1)),
        (MARKDOWN, "\n".join(line for part in parts for line in part)),
    ):
        with replacing(folder / name) as partial:
            partial.write_text(f"{text}\n", encoding="utf-8")
    plots.compressions(some, shapes).savefig(folder / "compression.png", dpi=120)
    plots.gains(gains, shown).savefig(folder / "speedup.png", dpi=120)
    return folder / MARKDOWN


def _head(rows: Sequence[Row], some: Sequence[Row], manifest: Manifest) -> Iterator[str]:
    differing = sum(len(row.differing) for row in some)
    with_window = sum(bool(shape.window) for row in some for shape in row.given)
    yield "# Lookahead decoding: what (W, N, G) saves\n"
    yield (
        f"{manifest.name} {manifest.version}, greedy, in float32 (`training.lookahead`). S is tokens for each "
        "forward pass, without the prompt's pass and the token it gives. Without a window (W = 0) drafts are n-grams "
        f"of the text, replayed on {len(rows)} test rows; with one the model was run on {len(some)} of these, and "
        f"{differing} of {with_window} outputs were not the greedy one. A source counts as extractive when its "
        "documents have 70 % of its references' word pairs.\n"
    )
    yield "Made by `python -m training lookahead-sweep --config training/configs/student.yaml`.\n"


def _compressions(rows: Sequence[Row], some: Sequence[Row], shapes: Sequence[Shape]) -> Iterator[str]:
    yield "![S over N](compression.png)\n"
    yield f"## S on the {len(some)} rows that every shape has\n"
    yield "| W | N | G | tokens in a pass | S | extractive | abstractive | S with the prompt's pass |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for shape in shapes:
        whole = compression(some, shape)
        numbers = " | ".join(map(str, (*shape.numbers, shape.tokens)))
        yield f"| {numbers} | {' | '.join(_cells(some, shape))} | {whole.whole if whole else 0:.2f} |"
    yield f"\n## S without a window, on all {len(rows)} rows\n"
    yield "| N | G | S | extractive | abstractive |\n| ---: | ---: | ---: | ---: | ---: |"
    for shape in shapes:
        if not shape.window:
            yield f"| {shape.ngram} | {shape.verification_set} | {' | '.join(_cells(rows, shape))} |"


def _cells(rows: Sequence[Row], shape: Shape) -> Iterator[str]:
    for wanted in GROUPS.values():
        found = compression(filter(wanted, rows), shape)
        yield f"{found.decoding:.2f}" if found else "-"


def _acceptance(some: Sequence[Row], shown: Sequence[Shape]) -> Iterator[str]:
    yield "\n## Acceptance by position\n"
    yield "Of the passes after the prompt's, the share (%) that accepted at least so many drafts.\n"
    most = max(shape.ngram for shape in shown) - 1
    yield f"| (W, N, G) | rows | {' | '.join(map(str, range(1, most + 1)))} |"
    yield f"| --- | --- |{' ---: |' * most}"
    for shape in shown:
        for group, wanted in GROUPS.items():
            if found := compression(filter(wanted, some), shape):
                yield f"| {shape} | {group} | {' | '.join(f'{100 * share:.0f}' for share in found.accepted)} |"


def _gains(gains: Speedups, shapes: Sequence[Shape], shown: Sequence[Shape], context: int) -> Iterator[str]:
    yield "\n## What it would mean on a GPU\n"
    yield (
        "Predicted speed-up of decoding, S t(1) / t(n) for n tokens in a pass, of the FP8 student with a context of "
        f"{context} tokens, by the roofline of `service/querygist/sizing/roofline.py`. Not measured on any GPU.\n"
    )
    yield "![speed-up over batch](speedup.png)\n"
    yield f"| GPU | (W, N, G) | {' | '.join(f'batch {batch}' for batch in BATCHES)} | pays up to batch |"
    yield f"| --- | --- |{' ---: |' * (len(BATCHES) + 1)}"
    for gpu in GPUS:
        for shape in shown:
            row = [gains[gpu, batch, shape] for batch in BATCHES]
            pays = [f"{batch}" for batch, gain in zip(BATCHES, row, strict=True) if gain > 1]
            yield f"| {gpu} | {shape} | {' | '.join(f'{gain:.2f}' for gain in row)} | {(pays or ['none'])[-1]} |"
        best = [max((gains[gpu, batch, shape], shape.numbers, shape) for shape in shapes) for batch in BATCHES]
        yield f"| {gpu} | the best | {' | '.join(f'{gain:.2f} {shape}' for gain, _, shape in best)} | |"
