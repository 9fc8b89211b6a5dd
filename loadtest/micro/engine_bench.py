"""Compare settings of the embedded engine: precision, candidates, n-grams, threads, tokens in a pass.

Each setting runs the same real rows through the engine (its real worker process, no gateway) one at a time and eight
at a time, in one run, so that the ratios hold where the machine is noisy.
"""

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from loadtest.load.asyncio_client import closed_loop, stopwatch
from querygist import artifact, settings
from querygist.deadline import Deadline
from querygist.engine_factory import engine_options
from querygist.engines.base import Chunk, GenerationRequest, Identity
from querygist.engines.openvino.engine import EmbeddedEngine
from querygist.engines.openvino.options import EngineOptions
from querygist.evaluation import report_files
from querygist.evaluation.report_files import number, table
from querygist.evaluation.rows import prompts
from querygist.local import until_loaded
from querygist.prompting.tokenizer import Tokenizer

MAX_NEW_TOKENS = 64
FAR = 600.0
LOADS = (1, 8)


@dataclass(frozen=True)
class Measurement:
    """One setting at one load. Times in seconds, medians over requests; `compression` is tokens per forward pass."""

    name: str
    in_flight: int
    ttft: float
    e2el: float
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
    name: str, options: EngineOptions, identity: Identity, prompts: Sequence[list[int]]
) -> list[Measurement]:
    """Load the engine with `options` and run every prompt at each load. Prefix caching only helps the instruction."""
    engine = EmbeddedEngine(identity, options, stall_seconds=FAR)
    await engine.start()
    try:
        await until_loaded(engine)
        numbers = itertools.count()
        await _request(engine, prompts[-1], f"warm-up {next(numbers)}")
        results = []
        for load in LOADS:
            fresh = ([load + 300, *ids] for ids in prompts)  # another first token: nothing is in the prefix cache
            done, elapsed = await closed_loop((_request(engine, ids, str(next(numbers))) for ids in fresh), load)
            chunks = [chunk for _, _, some in done for chunk in some]
            results.append(
                Measurement(
                    name=name,
                    in_flight=load,
                    ttft=statistics.median(ttft for ttft, _, _ in done),
                    e2el=statistics.median(e2el for _, e2el, _ in done),
                    requests_per_second=len(done) / elapsed,
                    compression=sum(len(chunk.ids) for chunk in chunks) / len(chunks),
                    acceptance=sum(chunk.accepted for chunk in chunks) / max(1, sum(chunk.drafted for chunk in chunks)),
                )
            )
        return results
    finally:
        await engine.close()


async def _request(engine: EmbeddedEngine, ids: list[int], name: str) -> tuple[float, float, list[Chunk]]:
    since, ttft, chunks = stopwatch(), 0.0, list[Chunk]()
    deadline = Deadline.after(FAR)
    async for chunk in engine.generate(GenerationRequest(ids, MAX_NEW_TOKENS, deadline, name)):
        ttft = ttft or since()
        chunks.append(chunk)
    return ttft, since(), chunks


def run(data: Sequence[dict[str, str]], out: Path, console: Console) -> None:
    """Measure every variant on these rows and write the comparison: OUT.md and OUT.json."""
    chosen, exact = settings.load(), settings.load(precision="fp32")
    built, built_exact = artifact.build(chosen), artifact.build(exact)
    asked = prompts(data, Tokenizer(built.tokenizer_path), built.identity)
    results: list[Measurement] = []
    compared = variants(engine_options(chosen, built), engine_options(exact, built_exact))
    for name, options in track(compared.items(), "engine settings", console=console):
        results += asyncio.run(measure(name, options, built.identity, asked))
    report(results, out, console, mean_prompt=statistics.mean(map(len, asked)))


def report(results: Sequence[Measurement], out: Path, console: Console, *, mean_prompt: float) -> None:
    """Print and write the comparison."""
    rows = (
        [one.name, one.in_flight, number(one.ttft, 3), number(one.e2el, 3), number(one.requests_per_second, 2),
         number(one.compression, 2), f"{one.acceptance:.0%}"]
        for one in results
    )  # fmt: skip
    header = ["setting", "in flight", "TTFT, s", "E2EL, s", "requests/s", "tokens/pass", "accepted"]
    sections = ["# Settings of the embedded engine", table(header, rows)]
    console.print(sections[1])
    kept = {"mean_prompt_tokens": mean_prompt, "results": [asdict(one) for one in results]}
    report_files.write(out.parent, out.stem, sections=sections, data=kept)
