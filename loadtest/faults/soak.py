"""Many distinct requests, and what the service's processes hold meanwhile: memory, threads, descriptors."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import httpx
import psutil
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from loadtest import plotting
from loadtest.faults.fault import as_words, ask
from loadtest.machine import processor
from loadtest.servers import Server, gateway
from querygist.evaluation import report_files

IN_FLIGHT = 8
SAMPLE_SECONDS = 5.0
WORDS = 15


@dataclass(frozen=True, slots=True)
class Sample:
    """Megabytes, threads and descriptors of each process, by its name, after so many requests."""

    requests: int
    seconds: float
    held: Mapping[str, tuple[float, int, int]]


@dataclass(slots=True)
class Soak:
    """A whole run, as it is kept."""

    processor: str
    outcomes: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)


def requests(rows: Sequence[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Yield short pages without end, no two the same; two in three ask for a quote, so that all parts have work."""
    for number in itertools.count():
        row = rows[number % len(rows)]
        words = row["document"].split()
        start = 7 * (number // len(rows)) % max(1, len(words) - 60)
        text = f"{' '.join(words[start : start + 60])} It is page {number}."
        style = "quote" if number % 3 else "write"
        yield {"query": row["query"], "document": text, "max_words": WORDS, "style": style}


def _held(server: Server) -> dict[str, tuple[float, int, int]]:
    gateway_process = psutil.Process(server.process.pid)
    named = {"gateway": gateway_process}
    for child in gateway_process.children():
        command = " ".join(child.cmdline())
        for name, module in (("engine", "querygist.engines.openvino.worker"), ("reader", "querygist.reader.worker")):
            if module in command:
                named[name] = child
    return {
        name: (round(one.memory_info().rss / 1e6, 1), one.num_threads(), one.num_fds()) for name, one in named.items()
    }


async def run(rows: Sequence[dict[str, str]], number: int, console: Console) -> Soak:
    """Send so many requests, a few at a time, and look at the processes every few seconds."""
    found, done, source = Soak(processor()), 0, requests(rows)
    limits = httpx.Limits(max_connections=None)
    async with (
        gateway() as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=90, limits=limits) as client,
    ):
        began = time.monotonic()
        with Progress(console=console) as progress:
            task = progress.add_task("requests", total=number)

            async def one_after_another() -> None:
                nonlocal done
                while done < number:
                    done += 1
                    outcome = (await ask(client, next(source))).outcome
                    found.outcomes[outcome] = found.outcomes.get(outcome, 0) + 1
                    progress.update(task, completed=done)

            async def sampling() -> None:
                while True:
                    found.samples.append(Sample(done, round(time.monotonic() - began, 1), _held(server)))
                    await asyncio.sleep(SAMPLE_SECONDS)

            sampler = asyncio.create_task(sampling())
            await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
            sampler.cancel()
            found.samples.append(Sample(done, round(time.monotonic() - began, 1), _held(server)))
    return found


def write(found: Soak, folder: Path) -> Path:
    """Write the chart, the numbers and a few words; return the path of the words."""
    last = found.samples[-1]
    middle = next(sample for sample in found.samples if sample.requests >= last.requests / 2)
    rows = [
        (
            name,
            *(f"{sample.held[name][0]:.0f}" for sample in (found.samples[0], middle, last)),
            f"{last.held[name][0] / middle.held[name][0] - 1:+.1%}",
            f"{middle.held[name][1]} / {last.held[name][1]}",
            f"{middle.held[name][2]} / {last.held[name][2]}",
        )
        for name in last.held
    ]
    header = ("process", "MB at first", "half way", "at the end", "second half", "threads, half / end", "descriptors")
    sections = [
        "# Twenty thousand requests" if last.requests >= 20_000 else f"# {last.requests:,} requests",
        f"{last.requests:,} distinct requests, {IN_FLIGHT} at a time, two quotes for each written summary, in "
        f"{last.seconds / 60:.0f} minutes ({found.processor}): {as_words(found.outcomes)}.",
        report_files.table(header, rows),
        "![Memory, threads and descriptors of the processes over the requests](soak.png)",
    ]
    return report_files.write(folder, "soak", sections=sections, data=found, figures={"soak": _figure(found)})


def _figure(found: Soak) -> Figure:
    figure, axes = plotting.axes(1, 3, size=(9, 2.5), sharex=True)
    done = [sample.requests for sample in found.samples]
    for place, (axis, label) in enumerate(zip(axes, ("memory, MB", "threads", "descriptors"), strict=True)):
        for name in found.samples[-1].held:
            held = [sample.held[name][place] if name in sample.held else nan for sample in found.samples]
            axis.plot(done, held, label=name)
        plotting.finish(axis, ylabel=label, xlabel="requests" if axis is axes[-1] else "")
        axis.set_ylim(bottom=0)
    return figure
