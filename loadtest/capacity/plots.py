"""The plots of the capacity study."""

from collections.abc import Iterable
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest import plotting
from loadtest.capacity.study import PAPER_AVERAGE, PAPER_GPUS, PAPER_RATE, Study

T = TypeVar("T")


def draw(study: Study) -> dict[str, Figure]:
    """Every plot, by name."""
    return {"gpus": _gpus(study), "latency": _latency(study), "sensitivity": _sensitivity(study)}


def _gpus(study: Study) -> Figure:
    """GPUs needed, by GPU and decoder, an axis for each architecture."""
    architectures = _unique(cell.architecture for cell in study.table)
    names = _unique(cell.gpu for cell in study.table)
    decoders = _unique(cell.decoder for cell in study.table)
    figure, axes = plotting.axes(len(architectures), size=(5.2, 4), sharey=True)
    width = 0.8 / len(decoders)
    for axis, architecture in zip(axes, architectures, strict=True):
        for number, decoder in enumerate(decoders):
            cells = [cell for cell in study.table if (cell.architecture, cell.decoder) == (architecture, decoder)]
            left = [names.index(cell.gpu) + (number + 0.5) * width - 0.4 for cell in cells]
            bars = axis.bar(left, [cell.gpus or 0 for cell in cells], width, label=decoder)
            axis.bar_label(bars, labels=[str(cell.gpus or "none") for cell in cells], fontsize=6)
        _paper(axis)
        axis.set_xticks(range(len(names)), names)
        plotting.finish(axis, title=f"{architecture}, simulated", yscale="log")
    axes[0].set_ylabel(_asked(study))
    return figure


def _latency(study: Study) -> Figure:
    """Average and 99th percentile by rate, on an L20."""
    figure, [average, p99] = plotting.axes(2, size=(5, 4.8), sharey=True)
    for number, (architecture, decoder, loads) in enumerate(study.curves):
        rates, color = [load.rate for load in loads], f"C{number}"
        label = f"{architecture}, {decoder}"
        average.plot(rates, [1000 * load.average for load in loads], "o-", color=color, markersize=3, label=label)
        p99.plot(rates, [1000 * load.p99 for load in loads], "o-", color=color, markersize=3)
    average.plot([PAPER_RATE], [1000 * PAPER_AVERAGE], "k*", markersize=9, label="the paper")
    for axis, name in ((average, "average"), (p99, "99th percentile")):
        xlabel = "requests a second on one L20, simulated"
        plotting.finish(axis, xlabel=xlabel, ylabel=f"{name} E2EL, ms", xscale="log", yscale="log")
    return figure


def _sensitivity(study: Study) -> Figure:
    """GPUs needed by the time that a kernel costs beside its work, on L20s."""
    figure, [axis] = plotting.axes(1, size=(6.5, 4))
    l20 = study.sensitivity[0].gpu
    for architecture, decoder in _unique((cell.architecture, cell.decoder) for cell in study.sensitivity):
        values = [
            (1e6 * cell.kernel_seconds, cell.gpus)
            for cell in study.sensitivity
            if (cell.gpu, cell.architecture, cell.decoder) == (l20, architecture, decoder) and cell.gpus is not None
        ]
        axis.plot([x for x, _ in values], [y for _, y in values], "o-", label=f"{architecture}, {decoder}")
    _paper(axis)
    xlabel = "microseconds a kernel, beside its work (assumed)"
    plotting.finish(axis, xlabel=xlabel, ylabel=_asked(study), ylim=(0, None))
    return figure


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _paper(axis: Axes) -> None:
    axis.axhline(PAPER_GPUS, color="grey", linestyle=":", linewidth=1, label=f"the paper's {PAPER_GPUS} L20s")


def _asked(study: Study) -> str:
    question = study.question
    return f"GPUs for {question.queries:,.0f}/s at {1000 * question.objective.average:g} ms on average"
