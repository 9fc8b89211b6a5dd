"""Requests to measure with: (query, document) rows of any JSONL file with these two fields."""

import json
from pathlib import Path

BUILT_IN = Path(__file__).parent.parent / "tests" / "data" / "rows.jsonl"
"""40 openly licensed rows; see the README beside it."""


def rows(path: Path = BUILT_IN, limit: int | None = None) -> list[dict[str, str]]:
    """The first `limit` rows of `path`, in file order. Raises ValueError naming the first line that is not one."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if not {"query", "document"} <= row.keys():
            raise ValueError(f"{path}:{number}: a row needs `query` and `document`, this one has {sorted(row)}")
        found.append(row)
    return found[:limit]
