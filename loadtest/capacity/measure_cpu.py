"""Measure the cost table of the CPU engine on this machine, as `querygist serve` would run it."""

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import track

from loadtest import plotting
from loadtest.capacity.cpu_costs import CpuCosts
from loadtest.capacity.cpu_passes import Bench, Ints
from loadtest.machine import processor
from querygist import artifact, settings
from querygist.engine_factory import engine_options
from querygist.evaluation import report_files
from querygist.evaluation.rows import rows
from querygist.prompting.tokenizer import Tokenizer

_SENTENCE = 40
"""Tokens that prompts repeat."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`prompt_tokens` behind `prompt_contexts`; `new_tokens` of each of `sequences` behind `contexts`."""

    prompt_tokens: Ints
    prompt_contexts: Ints
    new_tokens: Ints
    sequences: Ints
    contexts: Ints


FULL = Grid(
    prompt_tokens=(1, 8, 16, 32, 64, 128, 256, 512),
    prompt_contexts=(0, 512),
    new_tokens=(1, 2, 4, 6, 9, 16, 40),
    sequences=(1, 2, 4, 8),
    contexts=(256, 768),
)
QUICK = Grid(prompt_tokens=(16, 64), prompt_contexts=(0,), new_tokens=(1, 6), sequences=(1, 2), contexts=(128,))


def run(grid: Grid, samples: int, console: Console) -> CpuCosts:
    """Measure the model and the settings that `querygist serve` would have. Raises what building the model does."""
    chosen = settings.load()
    built = artifact.build(chosen)
    sentence = Tokenizer(built.tokenizer_path).encode(rows(limit=1)[0]["document"])[:_SENTENCE]
    bench = Bench(engine_options(chosen, built), sentence, samples=samples)
    prompt = bench.prompt_points(grid.prompt_tokens, grid.prompt_contexts)
    most = len(grid.prompt_tokens) * len(grid.prompt_contexts)
    read = tuple(track(prompt, "reading prompts", total=most, console=console))
    decode = bench.decode_points(grid.new_tokens, grid.sequences, grid.contexts)
    most = len(grid.new_tokens) * len(grid.sequences) * len(grid.contexts)
    decoded = tuple(track(decode, "decoding", total=most, console=console))
    return CpuCosts(
        machine={"processor": processor(), "cpus": os.cpu_count() or 0, "threads": chosen.threads},
        model={
            "name": built.identity.name, "version": built.identity.version, "precision": chosen.precision,
            "openvino_genai": version("openvino-genai"),
        },
        prompt=read,
        decode=decoded,
    )  # fmt: skip


def write(costs: CpuCosts, out: Path) -> Path:
    """Write the table as OUT.json, which `CpuCosts.load` reads, with its points as OUT.md and OUT.png."""
    figure, [decode, prompt] = plotting.axes(2, sharey=True)
    for axis, points, field in ((decode, costs.decode, "sequences"), (prompt, costs.prompt, "context")):
        for place in sorted({getattr(point, field) for point in points}):
            some = sorted((point.tokens, 1000 * point.seconds) for point in points if getattr(point, field) == place)
            axis.plot(*zip(*some, strict=True), "o-", markersize=3, label=f"{field}: {place}")
    for axis, title in ((decode, "decoding"), (prompt, "reading a prompt")):
        plotting.finish(axis, title=title, xscale="log", yscale="log", xlabel="tokens in the pass", ylabel="ms, median")
    sections = ["# What passes of the CPU engine cost", f"![By tokens in a pass]({out.stem}.png)"]
    return report_files.write(out.parent, out.stem, sections=sections, data=costs, figures={out.stem: figure})
