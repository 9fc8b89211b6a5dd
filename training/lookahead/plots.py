"""The study's plots."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from querygist.sizing.gpus import GPUS
from training.lookahead.compression import BATCHES, GROUPS, Row, Speedups, compression
from training.lookahead.ngram_pool import Shape


def compressions(rows: Sequence[Row], shapes: Sequence[Shape]) -> Figure:
    """S over N, a line for each W and G, extractive and abstractive sources beside each other."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for place, group in enumerate(("extractive", "abstractive"), 1):
        axis = figure.add_subplot(1, 2, place, title=group, xlabel="N", ylabel="S: tokens a pass")
        some = list(filter(GROUPS[group], rows))
        for window, verification_set in sorted({(shape.window, shape.verification_set) for shape in shapes}):
            line = [one for one in shapes if (one.window, one.verification_set) == (window, verification_set)]
            points = [(one.ngram, found.decoding) for one in line if (found := compression(some, one))]
            if points:
                axis.plot(
                    *zip(*points, strict=True),
                    "o-",
                    label=f"W {window}, G {verification_set}",
                    color=f"C{window}",
                    linewidth=0.5 + verification_set / 4,
                    markersize=3,
                    alpha=0.8,
                )
        if axis.lines:
            axis.legend(fontsize=6, ncol=2)
    return figure


def gains(found: Speedups, shown: Sequence[Shape]) -> Figure:
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
