"""The capacity study for people (Markdown, plots) and for programs (JSON). All show one `Study`.

What is said around its numbers stands in report.md, a template for `str.format`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest import plotting
from loadtest.capacity.search import MAX_SEQUENCE, MEMORY_SHARE, gpus_needed
from loadtest.capacity.study import PAPER_AVERAGE, PAPER_GPUS, PAPER_QUERIES, PAPER_RATE, Cell, Point, Study
from querygist.evaluation import report_files
from querygist.evaluation.report_files import table
from querygist.sizing.gpus import GPUS, L20
from querygist.sizing.roofline import ARCHITECTURES, KERNEL_SECONDS, KERNELS_PER_LAYER, Work, step_parts
from querygist.sizing.workload import LOOKAHEAD, Workload

TEMPLATE = Path(__file__).with_suffix(".md")

T = TypeVar("T")

_BATCH = 8
"""Of the pass whose parts are shown."""


def write(study: Study, folder: Path) -> Path:
    """Write capacity.md, capacity.json and the plots."""
    told = asdict(study)
    told["trial"]["workload"] |= {"requests": len(study.trial.workload.requests)}
    told["gpus"] = [asdict(gpu) for gpu in GPUS.values()]
    told["architectures"] = [asdict(architecture) for architecture in ARCHITECTURES]
    return report_files.write(folder, "capacity", sections=[_text(study)], data=told, figures=_figures(study))


def _text(study: Study) -> str:
    question, trial = study.question, study.trial
    workload, p99 = trial.workload, question.objective.p99
    context = round(workload.mean_prompt + workload.mean_output / 2)
    return TEMPLATE.read_text(encoding="utf-8").format(
        queries=question.queries, cache_hits=question.cache_hits, average_ms=1000 * question.objective.average,
        p99=f", 99th percentile {1000 * p99:g} ms" if p99 else "", batch=_BATCH, context=context,
        kernel_us=1e6 * KERNEL_SECONDS, kernels=KERNELS_PER_LAYER, sequence=MAX_SEQUENCE, memory_share=MEMORY_SHARE,
        paper_queries=PAPER_QUERIES, paper_gpus=PAPER_GPUS, paper_rate=PAPER_RATE, paper_ms=1000 * PAPER_AVERAGE,
        workload=workload, pairs=len(workload.requests), trial=trial, batching=question.batching,
        answer=_answer(study), parts=_parts(workload, context), sensitivity=_sensitivity(study.sensitivity),
        paper=_paper(study.paper), verdict=_verdict(study.paper), decoders=_decoders(workload), gpus=_gpus(),
    )  # fmt: skip


def _answer(study: Study) -> str:
    decoders = list(study.trial.workload.by_name)
    found = {(cell.architecture, cell.gpu, cell.decoder): cell for cell in study.table}
    places = dict.fromkeys((cell.architecture, cell.gpu) for cell in study.table)
    rows = ([*place, *(_cell(found[*place, decoder]) for decoder in decoders)] for place in places)
    return table(["architecture", "GPU", *decoders], rows)


def _cell(cell: Cell) -> str:
    if cell.load is None:
        return _count(None)
    return f"**{cell.gpus:,}** ({cell.load.rate:,.0f}/s; {1000 * cell.load.p99:.0f} ms)"


def _parts(workload: Workload, context: int) -> str:
    rows = []
    for architecture in ARCHITECTURES:
        for decoder in workload.by_name.values():
            work = Work(decoder.tokens_per_pass, context, decoder.logit_rows)
            parts = step_parts(L20, architecture, [work] * _BATCH)
            times = (*parts, sum(parts) / decoder.compression)
            rows.append([architecture.name, decoder.name, *(f"{1000 * time:.2f}" for time in times)])
    header = ["architecture", "decoder", "layers", "attention", "output layer", "kernels", "a token given"]
    return table(header, rows)


def _sensitivity(cells: Sequence[Cell]) -> str:
    columns = dict.fromkeys((cell.gpu, cell.kernel_seconds) for cell in cells)
    found = {(cell.architecture, cell.decoder, cell.gpu, cell.kernel_seconds): cell for cell in cells}
    places = dict.fromkeys((cell.architecture, cell.decoder) for cell in cells)
    rows = ([*place, *(_count(found[*place, *column].gpus) for column in columns)] for place in places)
    return table(["architecture", "decoder", *(f"{gpu}, {1e6 * time:g} us" for gpu, time in columns)], rows)


def _paper(points: Sequence[Point]) -> str:
    header = ["prompt + output, tokens", "decoder", "time a kernel", f"average at {PAPER_RATE:.0f}/s", "p99"]
    rows = []
    for point in points:
        rate = point.sustained.rate if point.sustained else None
        row = [f"{point.lengths[0]} + {point.lengths[1]}", point.decoder, f"{1e6 * point.kernel_seconds:g} us"]
        row += [_ms(point.load.average), _ms(point.load.p99), f"{point.load.in_flight:.1f}"]
        rows.append([*row, "none" if rate is None else f"{rate:,.0f}/s", _count(rate and _papers_gpus(rate))])
    return table([*header, "in flight", "sustained", f"GPUs for {PAPER_QUERIES:,}/s"], rows)


def _verdict(every: Sequence[Point]) -> str:
    """In words, for the paper's own decoder where the workload has it."""
    points = [point for point in every if point.decoder == LOOKAHEAD] or every
    how = " and ".join(dict.fromkeys(point.decoder for point in points))
    averages = [point.load.average for point in points]
    rates = [point.sustained.rate for point in points if point.sustained is not None]
    meets = sum(average <= PAPER_AVERAGE for average in averages)
    said = (
        f"With {how}, at {PAPER_RATE:.0f} requests a second, the simulated L20 takes {_ms(min(averages))} to "
        f"{_ms(max(averages))} on average; the published {1000 * PAPER_AVERAGE:g} ms hold in {meets} of "
        f"{len(points)} rows."
    )
    if not rates:
        return said
    low, high = min(rates), max(rates)
    return (
        f"{said} One sustains {low:,.0f} to {high:,.0f} requests a second, {low / PAPER_RATE:.1f} to "
        f"{high / PAPER_RATE:.1f} times the published rate: {_papers_gpus(high):,} to {_papers_gpus(low):,} L20s where "
        f"the paper has {PAPER_GPUS}."
    )


def _decoders(workload: Workload) -> str:
    return "\n".join(
        f"- **{decoder.name}:** tokens a pass {decoder.tokens_per_pass}, rows of logits {decoder.logit_rows}; "
        f"S = {decoder.compression:.2f} tokens given by a decoding pass. {decoder.source}."
        for decoder in workload.by_name.values()
    )


def _gpus() -> str:
    return "\n".join(
        f"- **{gpu.name}:** {gpu.bandwidth / 1e9:,.0f} GB/s, {gpu.memory / 1e9:.0f} GB, dense FP8 {gpu.fp8 / 1e12:g} "
        f"and FP16 {gpu.fp16 / 1e12:g} TFLOP/s; confidence {gpu.confidence}. {gpu.source}"
        for gpu in GPUS.values()
    )


def _papers_gpus(rate: float) -> int:
    return gpus_needed(PAPER_QUERIES, 0.0, rate)


def _count(gpus: float | None) -> str:
    return "none suffice" if gpus is None else f"{gpus:,.0f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _figures(study: Study) -> dict[str, Figure]:
    """Every plot, by name."""
    return {"gpus": _gpus_figure(study), "latency": _latency_figure(study)}


def _gpus_figure(study: Study) -> Figure:
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
        _papers_line(axis)
        axis.set_xticks(range(len(names)), names)
        plotting.finish(axis, title=f"{architecture}, simulated", yscale="log")
    axes[0].set_ylabel(_asked(study))
    return figure


def _latency_figure(study: Study) -> Figure:
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


def _unique(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _papers_line(axis: Axes) -> None:
    axis.axhline(PAPER_GPUS, color="grey", linestyle=":", linewidth=1, label=f"the paper's {PAPER_GPUS} L20s")


def _asked(study: Study) -> str:
    question = study.question
    return f"GPUs for {question.queries:,.0f}/s at {1000 * question.objective.average:g} ms on average"
