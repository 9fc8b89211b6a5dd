"""Requests to measure with: (query, document) rows of any JSONL file with these two fields."""

import json
from collections.abc import Iterable
from pathlib import Path

from service.documents import clean_document, clean_query
from service.engines.base import Identity
from service.tokenization import Tokenizer
from service.window import fit

BUILT_IN = Path(__file__).parent / "data" / "rows.jsonl"
"""40 openly licensed rows; see the README beside it. The folder is tests/data by another name, for the wheel."""


def rows(path: Path = BUILT_IN, limit: int | None = None) -> list[dict[str, str]]:
    """The first `limit` rows of `path`, in file order. Raises ValueError naming the first line that is not one."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if not {"query", "document"} <= row.keys():
            raise ValueError(f"{path}:{number}: a row needs `query` and `document`, this one has {sorted(row)}")
        found.append(row)
    return found[:limit]


def prompts(data: Iterable[dict[str, str]], tokenizer: Tokenizer, identity: Identity) -> list[list[int]]:
    """The token ids the service would send to the engine for each row, for summaries of at most 40 words."""
    return [
        fit(
            tokenizer,
            prompt_version=identity.prompt_version,
            prompt_limit=identity.prompt_limit,
            query=clean_query(row["query"]),
            title=None,
            document=clean_document(row["document"], content_type="text/plain").text,
            max_words=40,
        ).ids
        for row in data
    ]
