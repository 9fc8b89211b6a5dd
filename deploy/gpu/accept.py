"""One command for a GPU machine: `deploy/gpu/accept.sh --checkpoint FP8 --hf FOLDER --out report/`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.gpu import decoding, latency, preparation, report, steps
from deploy.gpu.plan import Plan
from deploy.gpu.steps import Found, Step
from deploy.gpu.workplace import Workplace
from querygist import settings
from querygist.errors import QuerygistError
from querygist.evaluation.rows import BUILT_IN


def accept(plan: Plan, console: Console) -> report.Report:
    """Run every step and write the report. Raises QuerygistError when there is nothing to begin with."""
    place = Workplace.of(plan)
    place.work.mkdir(parents=True, exist_ok=True)
    results = steps.run(_steps(place), console, place.work / "errors.log")
    written = report.Report(results, plan)
    written.write(plan.out)
    return written


def _steps(place: Workplace) -> list[Step]:
    measured: Found = {}

    def timed() -> Found:
        measured.update(latency.latency(place))
        return measured

    return [
        Step("machine", "the GPU and the pinned versions", partial(preparation.machine, place)),
        Step("checkpoints", "FP8, FP8 with an FP16 cache, FP16", partial(preparation.checkpoints, place), ("machine",)),
        Step("config", "our tensors are the image's", partial(preparation.configuration, place), ("machine",)),
        Step("build", "five engines", partial(preparation.engines, place), ("checkpoints",)),
        Step("gateway", "the gateway takes the right engine only", partial(decoding.gateway, place), ("build",)),
        Step("smoke", "batches with lookahead (issue #5451)", partial(decoding.smoke, place), ("build",)),
        Step("equality", "lookahead changes nothing", partial(decoding.equality, place), ("smoke",)),
        Step("rouge", "what FP8 costs against FP16", partial(decoding.quality, place), ("smoke",)),
        Step("latency", "open loop, four engines", timed, ("smoke",)),
        Step("target", "the verdict on latency", lambda: latency.target(place, measured), ("latency",)),
    ]


def main(
    hf: Annotated[Path, typer.Option(help="The merged student as a Hugging Face folder, for the FP16 engine.")],
    out: Annotated[Path, typer.Option(help="For report.md, report.json, latency.png; engines and logs in work/.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The FP8 checkpoint; without, HF is quantized here.")] = None,
    rows: Annotated[Path, typer.Option(help="JSONL of query and document, and summary for ROUGE.")] = BUILT_IN,
    seconds: Annotated[float, typer.Option(min=1, help="Of measuring, at each rate.")] = 60.0,
) -> None:
    """Build, serve and measure the GPU's engines, and judge them. Exit code 0 is a green verdict."""
    console = Console(soft_wrap=True)
    plan = Plan(hf=hf, out=out, rows=rows, weights=settings.load().weights_dir, checkpoint=checkpoint, seconds=seconds)
    try:
        written = accept(plan, console)
    except QuerygistError as error:
        console.print(f"[bold red]error:[/] {escape(error.detail)}", highlight=False)
        sys.exit(2)
    color = "green" if written.green else "red"
    console.print(f"[bold {color}]{color}[/]: {escape(written.sentence)} See {out / report.MARKDOWN}.", highlight=False)
    sys.exit(0 if written.green else 1)


if __name__ == "__main__":
    typer.run(main)
