"""`python -m training STAGE --config FILE`: one command a stage, and `pipeline` for all of them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service import commands
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


for _name, _stage in pipeline.STAGES.items():
    _add(_name, _stage)
_add("pipeline", pipeline.run)
_add("quantize", pipeline.quantize)
_add("lookahead-sweep", pipeline.lookahead_sweep)


@app.command("build-engine")
def build_engine(
    checkpoint: Annotated[Path, typer.Option(help="A TensorRT-LLM checkpoint: config.json and rank0.safetensors.")],
    out: Annotated[Path, typer.Option(help="Gets the model repositories `lookahead` and `plain`.")],
    lookahead: Annotated[str | None, typer.Option(help="W,N,G instead of what config.pbtxt says.")] = None,
    max_seq_len: Annotated[int | None, typer.Option(help="Tokens of prompt, output and drafts together.")] = None,
    served_from: Annotated[Path | None, typer.Option(help="Where the server finds OUT, if elsewhere.")] = None,
    here: Annotated[bool, typer.Option(help="This is the pinned container; otherwise docker runs it.")] = False,
) -> None:
    """Build the GPU's engines, with lookahead decoding and without, each as a repository that Triton serves."""
    from training import build_engine as stage  # noqa: PLC0415  it needs protobuf and OpenVINO, as no other stage does

    stage.run(
        checkpoint, out, console, lookahead=lookahead, max_seq_len=max_seq_len, served_from=served_from, here=here
    )


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1, never a traceback."""
    commands.run(app)


if __name__ == "__main__":
    main()
