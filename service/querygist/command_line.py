"""End the project's command lines well: an expected failure is one message and exit code 1, never a traceback."""

import sys
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from querygist.errors import QuerygistError

errors = Console(stderr=True, soft_wrap=True)


def run(app: typer.Typer) -> None:
    """Run the command that was typed."""
    try:
        app()
    except QuerygistError as error:
        fail(error.detail)


def tell(message: str) -> None:
    """Say what went wrong."""
    errors.print(f"[bold red]error:[/] {escape(message)}", highlight=False)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and end."""
    tell(message)
    sys.exit(1)
