"""The study's report: Markdown for people, JSON for programs, and plots.

Passes are measured. What a pass costs on a GPU is a roofline, and the text says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from querygist.artifact.manifest import Manifest
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table
from querygist.sizing.gpus import GPUS
from training.lookahead.compression import BATCHES, GROUPS, Row, Speedups, compression, speedups
from training.lookahead.ngram_pool import Shape

NAME = "lookahead"

PAPER, TEXT_ALONE = Shape(4, 6, 4), Shape(0, 6, 4)
"""What QDGenSumRT is served with (arXiv 2508.20559), and the same without the window."""


def write(folder: Path, rows: Sequence[Row], manifest: Manifest) -> Path:
    """Write the report into `folder` and return the Markdown's path.

    Each row has all shapes without a window; some rows have those with one as well.
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
    sections = [
        *_compressions(rows, some, shapes, manifest),
        *_acceptance(some, shown),
        *_gains(gains, shapes, shown, context),
    ]
    figures = {"compression": _plot_compressions(some, shapes), "speedup": _plot_gains(gains, shown)}
    return report_files.write(folder, NAME, sections=sections, data=numbers, figures=figures)


def _compressions(
    rows: Sequence[Row], some: Sequence[Row], shapes: Sequence[Shape], manifest: Manifest
) -> Iterator[str]:
    differing = sum(len(row.differing) for row in some)
    with_window = sum(bool(shape.window) for row in some for shape in row.given)
    yield "# Lookahead decoding: what (W, N, G) saves"
    yield (
        f"{manifest.name} {manifest.version}, greedy, in float32 (`training.lookahead`). S is tokens for each "
        "forward pass, without the prompt's pass and the token it gives. Without a window (W = 0) drafts are n-grams "
        f"of the text, replayed on {len(rows)} test rows; with one the model was run on {len(some)} of these, and "
        f"{differing} of {with_window} outputs were not the greedy one. A source counts as extractive when its "
        "documents have 70 % of its references' word pairs."
    )
    yield "Made by `python -m training lookahead-sweep --config training/configs/student.yaml`."
    yield "![S over N](compression.png)"
    yield f"## S on the {len(some)} rows that every shape has"
    header = ("W", "N", "G", "tokens in a pass", "S", "extractive", "abstractive", "S with the prompt's pass")
    whole = {shape: compression(some, shape) for shape in shapes}
    yield table(
        header,
        (
            (*shape.numbers, shape.tokens, *_by_group(some, shape), number(one.whole if one else 0, 2))
            for shape, one in whole.items()
        ),
    )
    yield f"## S without a window, on all {len(rows)} rows"
    plain = [shape for shape in shapes if not shape.window]
    yield table(
        ("N", "G", "S", "extractive", "abstractive"),
        ((shape.ngram, shape.verification_set, *_by_group(rows, shape)) for shape in plain),
    )


def _by_group(rows: Sequence[Row], shape: Shape) -> Iterator[str]:
    for wanted in GROUPS.values():
        found = compression(filter(wanted, rows), shape)
        yield number(found.decoding if found else None, 2)


def _acceptance(some: Sequence[Row], shown: Sequence[Shape]) -> Iterator[str]:
    yield "## Acceptance by position"
    yield "Of the passes after the prompt's, the share (%) that accepted at least so many drafts."
    most = max(shape.ngram for shape in shown) - 1
    yield table(
        ("(W, N, G)", "rows", *map(str, range(1, most + 1))),
        (
            (shape, group, *(number(100 * share, 0) for share in found.accepted))
            for shape in shown
            for group, wanted in GROUPS.items()
            if (found := compression(filter(wanted, some), shape))
        ),
    )


def _gains(gains: Speedups, shapes: Sequence[Shape], shown: Sequence[Shape], context: int) -> Iterator[str]:
    yield "## What it would mean on a GPU"
    yield (
        "Predicted speed-up of decoding, S t(1) / t(n) for n tokens in a pass, of the FP8 student with a context of "
        f"{context} tokens, by the roofline of `service/querygist/sizing/roofline.py`. Not measured on any GPU."
    )
    yield "![speed-up over batch](speedup.png)"
    rows: list[tuple[object, ...]] = []
    for gpu in GPUS:
        for shape in shown:
            row = [gains[gpu, batch, shape] for batch in BATCHES]
            pays = [str(batch) for batch, gain in zip(BATCHES, row, strict=True) if gain > 1]
            rows.append((gpu, shape, *(number(gain, 2) for gain in row), (pays or ["none"])[-1]))
        best = [max((gains[gpu, batch, shape], shape.numbers, shape) for shape in shapes) for batch in BATCHES]
        rows.append((gpu, "the best", *(f"{gain:.2f} {shape}" for gain, _, shape in best), ""))
    yield table(("GPU", "(W, N, G)", *(f"batch {batch}" for batch in BATCHES), "pays up to batch"), rows)


def _plot_compressions(rows: Sequence[Row], shapes: Sequence[Shape]) -> Figure:
    """S over N, a line for each W and G, extractive and abstractive sources beside each other."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for place, group in enumerate(("extractive", "abstractive"), 1):
        axis = figure.add_subplot(1, 2, place, title=group, xlabel="N", ylabel="S: tokens a pass")
        some = list(filter(GROUPS[group], rows))
        for window, verification_set in sorted({(shape.window, shape.verification_set) for shape in shapes}):
            line = [one for one in shapes if (one.window, one.verification_set) == (window, verification_set)]
            points = [(one.ngram, found.decoding) for one in line if (found := compression(some, one))]
            if points:
                label, width = f"W {window}, G {verification_set}", 0.5 + verification_set / 4
                style: dict[str, Any] = {"color": f"C{window}", "linewidth": width, "markersize": 3, "alpha": 0.8}
                axis.plot(*zip(*points, strict=True), "o-", label=label, **style)
        if axis.lines:
            axis.legend(fontsize=6, ncol=2)
    return figure


def _plot_gains(found: Speedups, shown: Sequence[Shape]) -> Figure:
    """Predicted speed-up over the batch, an axis for each GPU: the shapes `shown`, and the best of all."""
    figure = Figure(figsize=(3.2 * len(GPUS), 3.6), layout="constrained")
    for place, gpu in enumerate(GPUS, 1):
        axis = figure.add_subplot(1, len(GPUS), place, title=gpu, xlabel="batch", ylabel="speed-up of decoding")
        for shape in shown:
            axis.plot(BATCHES, [found[gpu, batch, shape] for batch in BATCHES], "o-", label=str(shape), markersize=3)
        best = [max(gain for (of, at, _), gain in found.items() if (of, at) == (gpu, batch)) for batch in BATCHES]
        axis.plot(BATCHES, best, "k:", label="best of all")
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set_xscale("log", base=2)
    figure.axes[0].legend(fontsize=7)
    return figure
