"""`python -m training STAGE --config FILE`: one command a stage, and `pipeline` for all of them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from querygist import command_line
from training import config as configs
from training import pipeline

app = typer.Typer(no_args_is_help=True, add_completion=False, help="From data to the shipped student, stage by stage.")
console = Console(soft_wrap=True)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="The run: a YAML file such as training/configs/student.yaml.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", "-s", help="field.field=value, instead of what the file says. Repeatable.")
]


def _add(name: str, stage: pipeline.Stage) -> None:
    def command(config: ConfigFile, overrides: Overrides = None) -> None:
        stage(configs.load(config, overrides or ()), console)

    app.command(name, help=stage.__doc__)(command)


for _name, _stage in pipeline.COMMANDS.items():
    _add(_name, _stage)


@app.command()
def workload(
    outputs: Annotated[Path, typer.Option(help="What the evaluation wrote: work_dir/evaluate/<system>-<hash>.jsonl.")],
    examples: Annotated[list[Path], typer.Option(help="Its test rows: work_dir/test.jsonl, negatives_test.jsonl.")],
    weights: Annotated[Path, typer.Option(help="The model folder.")] = Path("model_repository/weights"),
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("loadtest/capacity/student_workload.json"),
) -> None:
    """Lengths and S of a student's outputs, for `python -m loadtest capacity`."""
    from training.lookahead.workload_from_outputs import build  # noqa: PLC0415  it needs torch

    made = build(weights, examples, outputs)
    made.save(out)
    for decoder in made.decoders:
        console.print(f"{decoder.name}: S = {decoder.compression:.2f}")
    console.print(f"prompt {made.mean_prompt:.0f}, output {made.mean_output:.0f} tokens on average: {out}")


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1, never a traceback."""
    command_line.run(app)


if __name__ == "__main__":
    main()
