"""Reference tables of the documentation, made from the code: `python -m querygist.reference docs` rewrites them.

A table stands in its page between `<!-- table: NAME -->` and `<!-- end -->`; what is around it is written by hand.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from prometheus_client import Metric
from pydantic.fields import FieldInfo

from querygist.engines.base import Status
from querygist.errors import HttpError
from querygist.metrics import Metrics
from querygist.settings import Settings

PLACES = {"weights_dir": "model_repository/weights", "cache_dir": "~/.cache/querygist"}
"""Defaults that depend on where the package and the home directory are, as a reader should see them."""


def settings() -> Iterator[tuple[str, ...]]:
    """Yield a row for each setting."""
    yield "variable", "default", "allowed", "meaning"
    for name, field in Settings.model_fields.items():
        default = PLACES.get(name, field.default)
        shown = "" if default in {None, ""} else f"`{default}`"
        yield f"`QUERYGIST_{name.upper()}`", shown, _allowed(field), field.description or ""


def metrics() -> Iterator[tuple[str, ...]]:
    """Yield a row for each metric of the gateway's registry."""
    yield "metric", "kind", "labels", "meaning"
    made = Metrics()
    made.engine_status = lambda: Status(servers={"HOST:PORT": True})
    for metric in made.registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        yield f"`{name}`", metric.type, _labels(metric), metric.documentation


def problems() -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of error that the HTTP contract knows, by status."""
    yield "status", "`type`: `urn:querygist:problem:` and", "meaning"
    kinds = [kind for parent in HttpError.__subclasses__() for kind in parent.__subclasses__()]
    for kind in sorted(kinds, key=lambda kind: kind.status):
        yield str(kind.status), f"`{kind.slug}`", (kind.__doc__ or "").rstrip(".")


TABLES: dict[str, Callable[[], Iterator[tuple[str, ...]]]] = {
    "settings": settings,
    "metrics": metrics,
    "problems": problems,
}


def rewrite(page: str) -> str:
    """Return a page with its tables made anew. Raises KeyError for a table that nobody makes."""

    def table(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{_markdown(TABLES[found[2]]())}\n{found[3]}"

    return re.sub(r"(<!-- table: (\w+) -->).*?(<!-- end -->)", table, page, flags=re.DOTALL)


def _markdown(rows: Iterator[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    low = next((bound for bound in field.metadata if isinstance(bound, (Ge, Gt))), None)
    high = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    if low is None:
        return ""
    if isinstance(low, Gt):
        return f"more than {low.gt}"
    return f"{low.ge} or more" if high is None else f"{low.ge} to {high}"


def _labels(metric: Metric) -> str:
    names = {name: None for sample in metric.samples for name in sample.labels if name != "le"}
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).glob("*.md")):
        path.write_text(rewrite(path.read_text()))
