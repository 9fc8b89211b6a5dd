"""The plots of the capacity study."""

from matplotlib.figure import Figure

from loadtest.capacity.study import PAPER_AVERAGE, PAPER_GPUS, PAPER_RATE, Study


def gpus(study: Study) -> Figure:
    """GPUs needed, by GPU and decoder, an axis for each architecture."""
    architectures = list(dict.fromkeys(cell.architecture for cell in study.table))
    names = list(dict.fromkeys(cell.gpu for cell in study.table))
    decoders = list(dict.fromkeys(cell.decoder for cell in study.table))
    figure = Figure(figsize=(5.2 * len(architectures), 4), layout="constrained")
    axes = figure.subplots(1, len(architectures), sharey=True, squeeze=False)[0]
    width = 0.8 / len(decoders)
    for axis, architecture in zip(axes, architectures, strict=True):
        for number, decoder in enumerate(decoders):
            cells = [cell for cell in study.table if (cell.architecture, cell.decoder) == (architecture, decoder)]
            left = [names.index(cell.gpu) + (number + 0.5) * width - 0.4 for cell in cells]
            bars = axis.bar(left, [cell.gpus or 0 for cell in cells], width, label=decoder)
            axis.bar_label(bars, labels=[str(cell.gpus or "none") for cell in cells], fontsize=6)
        axis.axhline(PAPER_GPUS, color="grey", linestyle=":", linewidth=1, label=f"the paper's {PAPER_GPUS} L20s")
        axis.set_xticks(range(len(names)), names)
        axis.set_title(f"{architecture}, simulated", fontsize=9)
        axis.set_yscale("log")
    axes[0].set_ylabel(_asked(study))
    axes[0].legend(fontsize=7)
    return figure


def latency(study: Study) -> Figure:
    """Average and 99th percentile by rate, on an L20."""
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    average, p99 = figure.subplots(1, 2, sharey=True)
    for number, (architecture, decoder, loads) in enumerate(study.curves):
        rates = [load.rate for load in loads]
        label, style = f"{architecture}, {decoder}", {"color": f"C{number}", "markersize": 3}
        average.plot(rates, [1000 * load.average for load in loads], "o-", label=label, **style)
        p99.plot(rates, [1000 * load.p99 for load in loads], "o-", label=label, **style)
    average.plot([PAPER_RATE], [1000 * PAPER_AVERAGE], "k*", markersize=9, label="the paper")
    for axis, name in ((average, "average"), (p99, "99th percentile")):
        axis.set(
            xlabel="requests a second on one L20, simulated", ylabel=f"{name} latency, ms", xscale="log", yscale="log"
        )
        axis.grid(alpha=0.3)
    figure.legend(*average.get_legend_handles_labels(), fontsize=7, loc="outside lower center", ncols=4)
    return figure


def sensitivity(study: Study) -> Figure:
    """GPUs needed by the time that a kernel costs beside its work, on L20s."""
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis = figure.add_subplot(xlabel="microseconds a kernel, beside its work (assumed)", ylabel=_asked(study))
    l20 = study.sensitivity[0].gpu
    for architecture, decoder in dict.fromkeys((cell.architecture, cell.decoder) for cell in study.sensitivity):
        cells = [
            cell
            for cell in study.sensitivity
            if (cell.gpu, cell.architecture, cell.decoder) == (l20, architecture, decoder) and cell.gpus is not None
        ]
        values = [(1e6 * cell.kernel_seconds, cell.gpus or 0) for cell in cells]
        axis.plot([x for x, _ in values], [y for _, y in values], "o-", label=f"{architecture}, {decoder}")
    axis.axhline(PAPER_GPUS, color="grey", linestyle=":", linewidth=1, label=f"the paper's {PAPER_GPUS} L20s")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=6)
    axis.grid(alpha=0.3)
    return figure


def _asked(study: Study) -> str:
    question = study.question
    return f"GPUs for {question.queries:,.0f}/s at {1000 * question.objective.average:g} ms on average"
