"""The capacity study for people (Markdown, plots) and for programs (JSON). All show one `Study`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path

from loadtest.capacity import plots
from loadtest.capacity.search import MAX_SEQUENCE, MEMORY_SHARE, gpus_needed
from loadtest.capacity.study import PAPER_AVERAGE, PAPER_GPUS, PAPER_QUERIES, PAPER_RATE, Cell, Point, Study
from querygist.sizing.gpus import GPUS, L20
from querygist.sizing.roofline import ARCHITECTURES, KERNEL_SECONDS, KERNELS_PER_LAYER, Work, step_parts
from querygist.sizing.workload import LOOKAHEAD

MARKDOWN, JSON = "capacity.md", "capacity.json"
PLOTS = {
    "gpus.png": plots.gpus,
    "latency.png": plots.latency,
    "sensitivity.png": plots.sensitivity,
}

_BATCH = 8
"""Of the pass whose parts are shown."""


def write(study: Study, folder: Path) -> None:
    """Every file of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    told = asdict(study)
    told["trial"]["workload"] |= {"requests": len(study.trial.workload.requests)}
    told["gpus"] = [asdict(gpu) for gpu in GPUS.values()]
    told["architectures"] = [asdict(architecture) for architecture in ARCHITECTURES]
    (folder / JSON).write_text(dumps(told, indent=1) + "\n")
    (folder / MARKDOWN).write_text("\n".join(_markdown(study)) + "\n")
    for name, draw in PLOTS.items():
        draw(study).savefig(folder / name, dpi=130)


def _markdown(study: Study) -> Iterator[str]:
    question = study.question
    p99 = f", 99th percentile {1000 * question.objective.p99:g} ms" if question.objective.p99 else ""
    yield from (
        "# Capacity: how many GPUs?",
        "",
        f"**Asked:** {question.queries:,.0f} queries a second, {question.cache_hits:.0%} of them from the cache; "
        f"at the GPU {1000 * question.objective.average:g} ms on average{p99}. **Answered by simulation: no GPU was "
        "measured for this page.** Every number follows from the assumptions at its end.",
        "",
        "GPUs needed (requests a second that one sustains within the objective; its 99th percentile there):",
        "",
        *_table(study),
        "",
        "![GPUs needed](gpus.png)",
        "",
        "![Latency by rate on an L20](latency.png)",
        "",
        *_parts(study),
        *_sensitivity(study),
        *_paper(study),
        *_assumptions(study),
    )


def _table(study: Study) -> Iterator[str]:
    decoders = list(study.trial.workload.by_name)
    yield from _head("architecture", "GPU", *decoders)
    found = {(cell.architecture, cell.gpu, cell.decoder): cell for cell in study.table}
    for architecture, gpu in dict.fromkeys((cell.architecture, cell.gpu) for cell in study.table):
        yield _row(architecture, gpu, *(_cell(found[architecture, gpu, decoder]) for decoder in decoders))


def _cell(cell: Cell) -> str:
    if cell.load is None:
        return "none suffice"
    return f"**{cell.gpus:,}** ({cell.load.rate:,.0f}/s; {1000 * cell.load.p99:.0f} ms)"


def _parts(study: Study) -> Iterator[str]:
    workload = study.trial.workload
    context = round(workload.mean_prompt + workload.mean_output / 2)
    yield from (
        "## Where a pass's time goes",
        "",
        f"One decoding pass of {_BATCH} requests on an L20, {context} tokens of context each, ms:",
        "",
    )
    yield from _head("architecture", "decoder", "layers", "attention", "output layer", "kernels", "a token given")
    for architecture in ARCHITECTURES:
        for decoder in workload.by_name.values():
            work = Work(decoder.tokens_per_pass, context, decoder.logit_rows)
            parts = step_parts(L20, architecture, [work] * _BATCH)
            given = sum(parts) / decoder.compression
            yield _row(architecture.name, decoder.name, *(f"{1000 * part:.2f}" for part in (*parts, given)))
    yield ""


def _sensitivity(study: Study) -> Iterator[str]:
    yield from (
        "## What it hangs on",
        "",
        f"GPUs needed when a kernel costs another time beside its work (assumed: {1e6 * KERNEL_SECONDS:g} us), and "
        "with the other throughput that is quoted for the L20:",
        "",
    )
    columns = list(dict.fromkeys((cell.gpu, cell.kernel_seconds) for cell in study.sensitivity))
    yield from _head("architecture", "decoder", *(f"{gpu}, {1e6 * seconds:g} us" for gpu, seconds in columns))
    found = {(cell.architecture, cell.decoder, cell.gpu, cell.kernel_seconds): cell for cell in study.sensitivity}
    for architecture, decoder in dict.fromkeys((cell.architecture, cell.decoder) for cell in study.sensitivity):
        cells = (found[architecture, decoder, *column] for column in columns)
        yield _row(
            architecture, decoder, *("none suffice" if cell.load is None else f"{cell.gpus:,}" for cell in cells)
        )
    yield from ("", "![Sensitivity](sensitivity.png)", "")


def _paper(study: Study) -> Iterator[str]:
    yield from (
        "## The paper's point",
        "",
        f"QDGenSumRT (arXiv 2508.20559, abstract): {PAPER_QUERIES:,} queries a second on {PAPER_GPUS} L20s, less than "
        f"{1000 * PAPER_AVERAGE:g} ms on average: {PAPER_RATE:.0f} requests a second on each. No parameter is fitted "
        "to it. The same on a simulated L20 with a model of that shape: latency at that rate, and what one sustains "
        f"within {1000 * PAPER_AVERAGE:g} ms.",
        "",
        *_head(
            "prompt + output, tokens", "decoder", "time a kernel", f"average at {PAPER_RATE:.0f}/s", "p99", "in flight",
            "sustained", f"GPUs for {PAPER_QUERIES:,}/s",
        ),
    )  # fmt: skip
    for point in study.paper:
        top = point.sustained
        yield _row(
            f"{point.lengths[0]} + {point.lengths[1]}",
            point.decoder,
            f"{1e6 * point.kernel_seconds:g} us",
            _ms(point.load.average),
            _ms(point.load.p99),
            f"{point.load.in_flight:.1f}",
            *(("none", "none suffice") if top is None else (f"{top.rate:,.0f}/s", f"{_gpus(top.rate):,}")),
        )
    yield from ("", *_verdict(study.paper), "")


def _verdict(every: Sequence[Point]) -> Iterator[str]:
    """In words, for the paper's own decoder where the workload has it."""
    points = [point for point in every if point.decoder == LOOKAHEAD] or every
    how = " and ".join(dict.fromkeys(point.decoder for point in points))
    averages = [point.load.average for point in points]
    rates = [point.sustained.rate for point in points if point.sustained is not None]
    meets = sum(average <= PAPER_AVERAGE for average in averages)
    yield (
        f"With {how}, at {PAPER_RATE:.0f} requests a second, the simulated L20 takes {_ms(min(averages))} to "
        f"{_ms(max(averages))} on average; the published {1000 * PAPER_AVERAGE:g} ms hold in {meets} of "
        f"{len(points)} rows."
    )
    if rates:
        low, high = min(rates), max(rates)
        yield (
            f"One sustains {low:,.0f} to {high:,.0f} requests a second, {low / PAPER_RATE:.1f} to "
            f"{high / PAPER_RATE:.1f} times the published rate: {_gpus(high):,} to {_gpus(low):,} L20s where the paper "
            f"has {PAPER_GPUS}. What may lie between, none of it in the simulation:"
        )
    yield from (
        "",
        "- The paper does not say whether its latency counts the gateway, the network, tokenization and queueing. Here "
        "it is the GPU and its queue.",
        f"- Its {PAPER_GPUS} GPUs are what is deployed: spare ones for peaks, failing data centres and rollouts may be "
        "among them. Here every GPU is at its limit all the time.",
        "- Kernels reach less than the peak figures, most of all at small batches, and between passes the host "
        "schedules, samples and keeps the n-gram pool. Here a pass is a roofline and a time for each kernel.",
        "- Its lengths, acceptance, batch limits and cache-hit rate are not published.",
    )


def _assumptions(study: Study) -> Iterator[str]:
    question, trial = study.question, study.trial
    workload, batching = trial.workload, question.batching
    yield from (
        "## Assumptions",
        "",
        f"- **Lengths:** {workload.source}. {len(workload.requests)} pairs, drawn at random: prompts "
        f"{workload.mean_prompt:.0f} tokens on average, outputs {workload.mean_output:.0f}.",
        *(
            f"- **{decoder.name}:** tokens a pass {decoder.tokens_per_pass}, rows of logits {decoder.logit_rows}; "
            f"S = {decoder.compression:.2f} tokens given by a decoding pass. {decoder.source}."
            for decoder in workload.by_name.values()
        ),
        "- S was measured with our student; the paper's architecture is given the same, its own being unpublished.",
        "- **Arrivals** are Poisson, spread over the GPUs at random. The cache's answers take no GPU and are not in "
        f"the averages. {trial.requests:,} requests or more a trial, a tenth dropped, seed {trial.seed}; rates to 1 %.",
        f"- **Batching:** in flight, up to {batching.max_batch} requests and {batching.max_tokens} tokens a pass, "
        f"whole prompts, first come first served, no eviction ({MAX_SEQUENCE} tokens for each of a full batch fit into "
        f"{MEMORY_SHARE:.0%} of the memory). No prefix is shared between requests.",
        "- **A pass** takes, for layers, attention and output layer each, the longer of arithmetic at the dense peak "
        "(FP8 in the layers, FP16 in the others) and traffic at the peak bandwidth (weights once, keys and values, "
        f"fp32 logits twice; activations stay in the L2 cache); and {KERNELS_PER_LAYER} kernels a layer at "
        f"{1e6 * KERNEL_SECONDS:g} us. The latter two are assumed (`sizing/roofline.py` says why), not measured.",
        "- **Not in it:** gateway, network, tokenization, sampling, the host between passes, kernels below the peak.",
        *(
            f"- **{gpu.name}:** {gpu.bandwidth / 1e9:,.0f} GB/s, {gpu.memory / 1e9:.0f} GB, dense FP8 "
            f"{gpu.fp8 / 1e12:g} and FP16 {gpu.fp16 / 1e12:g} TFLOP/s; confidence {gpu.confidence}. {gpu.source}"
            for gpu in GPUS.values()
        ),
        "",
        "Made by `python -m loadtest capacity`.",
    )


def _head(*names: str) -> tuple[str, str]:
    return _row(*names), "|" + " --- |" * len(names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _gpus(rate: float) -> int:
    return gpus_needed(PAPER_QUERIES, 0.0, rate)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
