"""One command for a GPU machine: `deploy/gpu/accept.sh --checkpoint FP8 --hf FOLDER --out report/`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.gpu import build_steps, latency, output_checks, step_runner
from deploy.gpu.context import AcceptanceContext, Plan
from deploy.gpu.report import Report
from deploy.gpu.step_runner import Step
from querygist import settings
from querygist.errors import QuerygistError
from querygist.evaluation.rows import BUILT_IN

STEPS = (
    Step("machine", "the GPU and the pinned versions", build_steps.machine),
    Step("checkpoints", "FP8, FP8 with an FP16 cache, FP16", build_steps.checkpoints, ("machine",)),
    Step("config", "our tensors are the image's", build_steps.config, ("machine",)),
    Step("build", "five engines", build_steps.engines, ("checkpoints",)),
    Step("gateway", "the gateway takes the right engine only", output_checks.gateway, ("build",)),
    Step("smoke", "batches with lookahead (issue #5451)", output_checks.smoke, ("build",)),
    Step("equality", "lookahead changes nothing", output_checks.equality, ("smoke",)),
    Step("rouge", "what FP8 costs against FP16", output_checks.rouge, ("smoke",)),
    Step("latency", "open loop, four engines", latency.latency, ("smoke",)),
    Step("target", "the verdict on latency", latency.target, ("latency",)),
)


def accept(plan: Plan, console: Console) -> Report:
    """Run every step and write the report. Raises QuerygistError when there is nothing to begin with."""
    report = Report(step_runner.run(STEPS, AcceptanceContext.load(plan), console), plan)
    report.write()
    return report


def main(
    hf: Annotated[Path, typer.Option(help="The merged student as a Hugging Face folder, for the FP16 engine.")],
    out: Annotated[Path, typer.Option(help="For report.md, report.json; engines and logs in work/.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The FP8 checkpoint; without, HF is quantized here.")] = None,
    rows: Annotated[Path, typer.Option(help="JSONL of query and document, and summary for ROUGE.")] = BUILT_IN,
    seconds: Annotated[float, typer.Option(min=1, help="Of measuring, at each rate.")] = 60.0,
) -> None:
    """Build, serve and measure the GPU's engines, and judge them. Exit code 0 is a green verdict."""
    console = Console(soft_wrap=True)
    plan = Plan(hf=hf, out=out, rows=rows, weights=settings.load().weights_dir, checkpoint=checkpoint, seconds=seconds)
    try:
        report = accept(plan, console)
    except QuerygistError as error:
        console.print(f"[bold red]error:[/] {escape(error.detail)}", highlight=False)
        sys.exit(2)
    verdict = f"[bold {report.verdict}]{report.verdict}[/]: {escape(report.sentence)}"
    console.print(f"{verdict} See {out / 'report.md'}.", highlight=False)
    sys.exit(0 if report.verdict == "green" else 1)


if __name__ == "__main__":
    typer.run(main)
