"""Progress of a download, for people: a bar on a terminal, plain lines anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

Report = Callable[[int, int | None], None]
"""Told the bytes there are so far, and the bytes there will be (None: the server does not say)."""

_QUARTERS = 4


def silent(_done: int, _total: int | None) -> None:
    """A report nobody reads."""


@contextmanager
def shown(name: str, console: Console | None = None) -> Iterator[Report]:
    """Show the download called `name` on standard error (or `console`) for as long as the block runs."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name, console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=None)

        def report(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield report


class _Lines:
    """One line at the start and at each quarter: readable in a build log."""

    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._next = 0

    def __call__(self, done: int, total: int | None) -> None:
        quarter = done * _QUARTERS // total if total else 0
        if quarter >= self._next:
            size = decimal(total) if total else "an unknown size"
            self._console.print(f"{self._name}: {decimal(done)} of {size}", highlight=False, soft_wrap=True)
            self._next = quarter + 1
