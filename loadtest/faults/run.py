"""Inject faults one after the other, and write the table."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from loadtest.faults import connections, deaths, tenants
from loadtest.faults.fault import Fault
from loadtest.machine import processor
from querygist import json_files

Rows = Sequence[dict[str, str]]

_MARKED = re.compile(r"(<!-- faults -->).*?(<!-- end faults -->)", re.DOTALL)


def scenarios(rows: Rows) -> Mapping[str, Callable[[], Awaitable[Fault]]]:
    """Return each fault's scenario by its name on the command line."""
    alone = (
        connections.endless_header,
        connections.silent_connections,
        connections.unfinished_bodies,
        connections.millions_of_lists,
        connections.large_batches,
    )
    loaded = (
        tenants.long_documents,
        tenants.flood,
        tenants.results_pages,
        tenants.overload,
        deaths.killed_engine,
        deaths.crash_loop,
        deaths.hung_engine,
        deaths.drained,
        deaths.leaving_clients,
        deaths.redis_faults,
    )
    return {one.__name__: one for one in alone} | {one.__name__: partial(one, rows) for one in loaded}


async def run(rows: Rows, names: Sequence[str], out: Path, console: Console) -> list[Fault]:
    """Inject the faults of these names, all if there are none; keep each as soon as it is over. Raises KeyError."""
    found = scenarios(rows)
    kept = json_files.load(dict[str, Fault], out, "report of faults") if out.exists() else {}
    for name in names or found:
        console.print(f"{name} ...")
        fault = await found[name]()
        console.print(f"  {fault.seen}")
        kept[name] = replace(fault, processor=processor())
        json_files.save(out, kept, indent=1)
    return [kept[name] for name in found if name in kept]


def write(faults: Sequence[Fault], page: Path) -> None:
    """Put the table of faults into its page, between its marks."""
    lines = ["| fault | injected | what clients saw | lost | well again after |", "| --- | --- | --- | --- | ---: |"]
    for fault in faults:
        recovery = "-" if fault.recovery is None else f"{fault.recovery:.1f} s"
        lines.append(f"| {fault.name} | {fault.injected} | {fault.seen} | {fault.lost} | {recovery} |")
    table = "\n".join(lines)
    page.write_text(_MARKED.sub(lambda found: f"{found[1]}\n\n{table}\n\n{found[2]}", page.read_text(encoding="utf-8")))
