"""Made-up rows: who writes them must be able to see at a glance what a test plants where."""

import json
from pathlib import Path
from typing import Any

from training.data.raw_dataset import Row, Split


def row(  # every field has a value that no test cares about
    id_: str = "a",
    *,
    source: str = "made",
    split: Split = "train",
    query: str = "why do owls hunt at night",
    document: str = "Owls hunt at night. Their eyes are large.",
    summary: str = "Owls hunt at night.",
    license_: str | None = "MIT",
    references: tuple[str, ...] = (),
) -> Row:
    return Row(id_, source, split, query, document, summary, license_, references or (summary,))


def write_rows(path: Path, *lines: dict[str, Any] | str) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def line(id_: str = "a", **fields: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "source": "made",
        "split": "train",
        "query": "why do owls hunt",
        "document": f"Owls hunt at night. This is document {id_}.",
        "summary": "Owls hunt at night.",
        "license": "MIT",
    } | fields
