"""`python -m loadtest COMMAND`: what the service carries and costs, and how many GPUs a stream of queries needs."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from loadtest.load.options import Options
from querygist import command_line
from querygist.evaluation.rows import BUILT_IN, rows
from querygist.sizing.workload import Workload

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Load, capacity, and what it costs.")
console = Console(soft_wrap=True)

RESULTS = Path("docs/results/capacity")
LOAD_RESULTS = Path("docs/results/load")
RELIABILITY = Path("docs/results/reliability")
BENCHMARKS = Path("docs/benchmarks")
OBJECTIVES = Path(__file__).parent / "objectives" / "cpu.toml"
STUDENT = Path(__file__).parent / "capacity" / "student_workload.json"
"""Lengths and S of the student that was shipped when it was made; its `source` says which."""

Start = Annotated[Literal["embedded", "triton"], typer.Option(help="Start a server with this engine.")]
Data = Annotated[Path, typer.Option(help="JSONL with query and document, used in turn.")]
Seed = Annotated[int, typer.Option(min=0, help="Draws arrivals and requests.")]
Rate = Annotated[float, typer.Option(min=0.001, help="Requests a second, Poisson arrivals.")]
Folder = Annotated[Path, typer.Option(help="Folder for Markdown, JSON and plots.")]
Json = Annotated[Path, typer.Option(help="JSON file to write.")]

# A command brings its own libraries: plots, the engine, an HTTP client.


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=f"Beside Locust's own options (--run-time 60s, --csv, ...), those of the load:\n\n{Options.described()}",
)
def load(
    context: typer.Context,
    start: Start = "embedded",
) -> None:
    """Start a server and run Locust against it, with the options given here."""
    from loadtest.servers import gateway  # noqa: PLC0415
    from loadtest.sweeps.locust_process import locust  # noqa: PLC0415

    async def run() -> int:
        async with gateway(start) as (server, ready):
            console.print(f"{server.url} is ready after {ready:.0f} s")
            return await locust("--host", server.url, *context.args)

    raise typer.Exit(asyncio.run(run()))


@app.command()
def curve(
    start: Start = "embedded",
    url: Annotated[str | None, typer.Option(help="Address of a running one instead.")] = None,
    slo: Annotated[Path, typer.Option(help="TOML file whose [in_time] says what goodput is.")] = OBJECTIVES,
    seconds: Annotated[int, typer.Option(min=1, help="Measured at each of 16 points.")] = 60,
    warm_up: Annotated[int, typer.Option(min=0, help="Sent before that, not counted: let queues fill, s.")] = 10,
    data: Data = BUILT_IN,
    seed: Seed = 0,
    engine: Annotated[str | None, typer.Option(help="The results' name; START, if not given.")] = None,
    out: Annotated[
        Path, typer.Option(help="Its folder ENGINE gets JSON, plot, Markdown and the points.")
    ] = LOAD_RESULTS,
) -> None:
    """Step the offered load past saturation: latency, goodput and outcomes. Points that are there are not run again."""
    from loadtest.servers import gateway  # noqa: PLC0415
    from loadtest.sweeps.curve import Study, write  # noqa: PLC0415

    name = engine or start
    study = Study(slo, data, seconds, warm_up, seed, out / name / "points")

    async def run() -> Path:
        async with gateway(start) if url is None else nullcontext() as started:
            address = url if started is None else started[0].url
            return write(await study.run(str(address), name, console), out / name)

    console.print(f"curve: {asyncio.run(run())}")


@app.command()
def failover(
    size: Annotated[int, typer.Option(min=2, help="Gateways, and Tritons.")] = 3,
    rate: Rate = 1.0,
    seconds: Annotated[float, typer.Option(min=20, help="How long to send.")] = 120,
    data: Data = BUILT_IN,
    seed: Seed = 0,
    out: Folder = LOAD_RESULTS / "failover",
) -> None:
    """Gateways before Tritons with the real model: kill one of each under load, and count what the client noticed."""
    import tempfile  # noqa: PLC0415

    from loadtest.servers import cluster  # noqa: PLC0415
    from loadtest.sweeps import failover as runs  # noqa: PLC0415

    async def run() -> runs.Failover:
        with tempfile.TemporaryDirectory(prefix="querygist-failover-") as folder:
            async with cluster(size, Path(folder)) as servers:
                return await runs.run(servers, rows(data), rate=rate, seconds=seconds, seed=seed, console=console)

    found = asyncio.run(run())
    console.print(f"{runs.verdict(found)} {runs.write(found, out)}")


@app.command()
def faults(
    names: Annotated[list[str] | None, typer.Argument(help="Which, by name; all, if none is given.")] = None,
    data: Data = BUILT_IN,
    out: Json = RELIABILITY / "faults.json",
    page: Annotated[Path, typer.Option(help="The page that gets the table.")] = Path("docs/reliability.md"),
) -> None:
    """Inject faults into servers of their own: bad connections, floods, deaths; write down what clients saw."""
    from loadtest.faults import run as runs  # noqa: PLC0415

    known = runs.scenarios(())
    if unknown := set(names or ()) - known.keys():
        command_line.fail(f"There is no fault {', '.join(sorted(unknown))}. There are {', '.join(known)}.")
    runs.write(asyncio.run(runs.run(rows(data), names or (), out, console)), page)
    console.print(f"faults: {page}")


@app.command()
def soak(
    number: Annotated[int, typer.Option("--requests", min=10, help="How many, all distinct.")] = 20_000,
    data: Data = BUILT_IN,
    out: Folder = RELIABILITY,
) -> None:
    """Send many distinct requests, and chart the memory, threads and descriptors of the processes."""
    from loadtest.faults import soak as runs  # noqa: PLC0415

    console.print(f"soak: {runs.write(asyncio.run(runs.run(rows(data), number, console)), out)}")


@app.command()
def capacity(
    qps: Annotated[float, typer.Option(min=0, help="Queries a second, all of them.")] = 50_000,
    average_ms: Annotated[float, typer.Option(min=0, help="Average latency at the GPU that must hold, ms.")] = 55,
    p99_ms: Annotated[float | None, typer.Option(min=0, help="99th percentile that must hold as well, ms.")] = None,
    cache_hit_rate: Annotated[float, typer.Option(min=0, max=1, help="Share that the cache answers.")] = 0.0,
    workload: Annotated[
        Path, typer.Option(help="Lengths and S: JSON, see service/querygist/sizing/workload.py.")
    ] = STUDENT,
    max_batch: Annotated[int, typer.Option(min=1, help="The engine's max_batch_size.")] = 32,
    max_tokens: Annotated[int, typer.Option(min=1, help="The engine's max_num_tokens.")] = 4096,
    requests: Annotated[int, typer.Option(min=100, help="Simulated requests at each rate.")] = 4000,
    seed: Seed = 0,
    out: Folder = RESULTS,
) -> None:
    """Simulate how many GPUs a stream of queries needs, and where the paper's point lies."""
    from loadtest.capacity import report, study  # noqa: PLC0415
    from loadtest.capacity.search import Objective, Trial  # noqa: PLC0415
    from loadtest.capacity.simulator import Batching  # noqa: PLC0415

    objective = Objective(average_ms / 1000, None if p99_ms is None else p99_ms / 1000)
    question = study.Question(qps, objective, cache_hit_rate, Batching(max_batch, max_tokens))
    found = study.run(question, Trial(Workload.load(workload), requests, seed), console)
    console.print(f"capacity: {report.write(found, out)}")


@app.command()
def engine_bench(
    data: Data = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", min=1, help="How many rows.")] = 24,
    out: Json = BENCHMARKS / "engine.json",
) -> None:
    """Compare settings of the embedded engine, without a gateway: precision, candidates, n-grams, threads, passes."""
    from loadtest.micro import engine_bench as bench  # noqa: PLC0415

    bench.run(rows(data, limit), out, console)


@app.command()
def reader_bench(
    folder: Annotated[Path, typer.Argument(help="A reader: reader.json and the files it names.")],
    data: Data = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", min=1, help="How many rows.")] = 40,
    threads: Annotated[int, typer.Option(min=1, help="Threads of a pass.")] = 2,
    out: Json = BENCHMARKS / "reader.json",
) -> None:
    """Compare OpenVINO's options for the reader: time of a page of 300 words, and distance from float32."""
    from loadtest.micro import reader_bench as bench  # noqa: PLC0415

    bench.run(folder, rows(data, limit), threads, out, console)


@app.command()
def gateway_bench(
    data: Data = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", min=1, help="How many rows.")] = 40,
    out: Json = BENCHMARKS / "gateway.json",
) -> None:
    """Measure a service of its own from outside: start, TTFT, E2EL, cache hits, /livez, tokens a pass, memory."""
    from loadtest.micro import gateway_bench as bench  # noqa: PLC0415

    asyncio.run(bench.run(rows(data, limit), out, console))


@app.command()
def quote_bench(
    data: Data = BUILT_IN,
    limit: Annotated[int, typer.Option("--rows", min=1, help="How many rows.")] = 40,
    out: Json = BENCHMARKS / "quote.json",
) -> None:
    """Measure quotes from outside: one page, ten in one call, and what the reader spends on them."""
    from loadtest.micro import quote_bench as bench  # noqa: PLC0415

    asyncio.run(bench.run(rows(data, limit), out, console))


@app.command()
def overhead_bench(
    seconds: Annotated[float, typer.Option(help="Length of one turn of one way; there are three of each.")] = 5.0,
    out: Json = BENCHMARKS / "overhead.json",
) -> None:
    """Measure what the gateway adds to Triton, with a scripted model: the same prompts over gRPC and through HTTP."""
    import uvloop  # noqa: PLC0415

    from loadtest.micro import overhead_bench as bench  # noqa: PLC0415
    from querygist import logs  # noqa: PLC0415

    logs.configure(log_format="console", level="warning")
    uvloop.run(bench.run(seconds, out, console))


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1, never a traceback."""
    command_line.run(app)


if __name__ == "__main__":
    main()
