"""Which engine settings are fastest here: precision, candidates, n-grams, threads, tokens in a pass; 1 and 8 in flight.

    python -m loadtest.micro.engine_bench [--rows 24] [--out docs/benchmarks/engine]

Each setting runs the same real rows through the embedded engine (its real worker process, no gateway) one at a time
and eight at a time, in one run, so that the ratios hold where the machine is noisy. Writes JSON and a plot.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from querygist import artifact, settings
from querygist.deadline import Deadline
from querygist.engine_factory import engine_options
from querygist.engines.base import Identity
from querygist.engines.openvino.engine import EmbeddedEngine
from querygist.engines.openvino.options import EngineOptions
from querygist.evaluation.rows import BUILT_IN, prompts, rows
from querygist.local import until_loaded
from querygist.prompting.tokenizer import Tokenizer

mpl.use("Agg")
from matplotlib import pyplot as plt

MAX_NEW_TOKENS = 64
FAR = 600.0


@dataclass(frozen=True)
class Result:
    """One setting at one load. Times in seconds, medians over requests; `compression` is tokens per forward pass."""

    name: str
    in_flight: int
    first_token: float
    total: float
    requests_per_second: float
    compression: float
    acceptance: float


def variants(default: EngineOptions, exact: EngineOptions) -> dict[str, EngineOptions]:
    """The default, and everything that differs from it in one setting; `exact` in arithmetic."""
    chosen = {"default": default, exact.precision: exact}
    for candidates in sorted({0, 3, 5, 8, 12, 20} - {default.candidates}):
        chosen[f"candidates {candidates}"] = replace(default, candidates=candidates)
    for ngram in sorted({1, 2, 3, 5} - {default.ngram}):
        chosen[f"n-grams up to {ngram}"] = replace(default, ngram=ngram)
    chosen["1 thread"] = replace(default, threads=1)
    for tokens in sorted({256, 512, 1024, 2048} - {default.pass_tokens}):
        chosen[f"{tokens} tokens a pass"] = replace(default, pass_tokens=tokens)
    return chosen


async def measure(
    name: str, options: EngineOptions, identity: Identity, prompts: Sequence[list[int]], loads: Sequence[int]
) -> list[Result]:
    """Load the engine with `options` and run every prompt at each load. Prefix caching only helps the instruction."""
    engine = EmbeddedEngine(identity, options, stall_seconds=FAR)
    await engine.start()
    try:
        await until_loaded(engine)
        numbers = itertools.count()
        await _request(engine, prompts[-1], f"warm-up {next(numbers)}")
        results = []
        for load in loads:
            fresh = [[load + 300, *ids] for ids in prompts]  # another first token: nothing is in the prefix cache
            places, began = asyncio.Semaphore(load), time.monotonic()

            async def one(
                ids: list[int], places: asyncio.Semaphore = places
            ) -> tuple[float, float, int, int, int, int]:
                async with places:
                    return await _request(engine, ids, str(next(numbers)))

            done = await asyncio.gather(*(one(ids) for ids in fresh))
            elapsed = time.monotonic() - began
            first, total, tokens, passes, drafted, accepted = zip(*done, strict=True)
            results.append(
                Result(
                    name=name,
                    in_flight=load,
                    first_token=statistics.median(first),
                    total=statistics.median(total),
                    requests_per_second=len(done) / elapsed,
                    compression=sum(tokens) / sum(passes),
                    acceptance=sum(accepted) / max(1, sum(drafted)),
                )
            )
        return results
    finally:
        await engine.close()


async def _request(engine: EmbeddedEngine, ids: list[int], name: str) -> tuple[float, float, int, int, int, int]:
    began, first = time.monotonic(), 0.0
    tokens = passes = drafted = accepted = 0
    deadline = Deadline.after(FAR)
    async for chunk in engine.generate(ids, max_new_tokens=MAX_NEW_TOKENS, deadline=deadline, request_id=name):
        first = first or time.monotonic() - began
        tokens += len(chunk.ids)
        passes += 1
        drafted += chunk.drafted
        accepted += chunk.accepted
    return first, time.monotonic() - began, tokens, passes, drafted, accepted


def main(
    data: Annotated[Path, typer.Option(help="JSONL with query and document.")] = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", help="How many rows.")] = 24,
    out: Annotated[Path, typer.Option(help="Written as OUT.json and OUT.png.")] = Path("docs/benchmarks/engine"),
) -> None:
    """Measure every variant and write the comparison."""
    chosen, exact = settings.load(), settings.load(precision="fp32")
    built, built_exact = artifact.build(chosen), artifact.build(exact)
    tokenizer = Tokenizer(built.tokenizer_path)
    asked = prompts(rows(data, limit), tokenizer, built.identity)
    console, results = Console(), []
    compared = variants(engine_options(chosen, built), engine_options(exact, built_exact))
    for name, options in track(compared.items(), "engine settings", console=console):
        results += asyncio.run(measure(name, options, built.identity, asked, loads=(1, 8)))
    report(console, results, out, mean_prompt=statistics.mean(map(len, asked)))


def report(console: Console, results: list[Result], out: Path, *, mean_prompt: float) -> None:
    """A table for the terminal, JSON and a plot for the docs."""
    table = Table(
        Column("setting", no_wrap=True),
        "in flight",
        "first token s",
        "total s",
        "requests/s",
        "tokens/pass",
        "accepted",
    )
    for one in results:
        times = (f"{one.first_token:.3f}", f"{one.total:.3f}", f"{one.requests_per_second:.2f}")
        table.add_row(one.name, str(one.in_flight), *times, f"{one.compression:.2f}", f"{one.acceptance:.0%}")
    console.print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    summary = {"mean_prompt_tokens": mean_prompt, "results": [asdict(one) for one in results]}
    out.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
    for axis, load in zip(axes, (1, 8), strict=True):
        chosen = [one for one in results if one.in_flight == load][::-1]
        names = [one.name for one in chosen]
        axis.barh(names, [one.total for one in chosen], color="#c9d6e8", label="whole summary")
        axis.barh(names, [one.first_token for one in chosen], color="#2f5d9b", label="first token")
        axis.set_title(f"{load} in flight")
        axis.set_xlabel("seconds, median")
    axes[0].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(out.with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    typer.run(main)
