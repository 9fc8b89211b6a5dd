"""`python -m training STAGE --config FILE`: one command a stage."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from service.errors import QuerygistError
from training import config

app = typer.Typer(no_args_is_help=True, add_completion=False, help="From data to the shipped student, stage by stage.")
console = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The run: a YAML file such as configs/student.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", "-s", help="field.field=value, instead of what the file says. Repeatable.")
]


@app.callback()
def stages() -> None:
    """Run one stage. Each is resumable, and done at once when nothing has changed."""


@app.command()
def data(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Rows of public data sets to training, validation and test files, with a data card."""
    from training import data as stage  # noqa: PLC0415  a stage brings its own libraries

    stage.run(config.load(config_file, overrides or ()), console)


@app.command()
def sft(config_file: ConfigFile, overrides: Overrides = None) -> None:
    """Fine-tune the base model with LoRA on what the data stage made; goes on from the last checkpoint."""
    from training import sft as stage  # noqa: PLC0415

    stage.run(config.load(config_file, overrides or ()))


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1, never a traceback."""
    try:
        app()
    except QuerygistError as error:
        errors.print(f"[bold red]error:[/] {escape(error.detail)}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
