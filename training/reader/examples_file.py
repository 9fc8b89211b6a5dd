"""Examples on disk, so that a resumed run need not make them again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from querygist.files import replacing
from training.reader.examples import Example

_ARRAYS = ("ids", "types", "places", "answers")


def save(examples: Sequence[Example], path: Path) -> None:
    """Write examples: arrays end to end, their lengths, and the rest as JSON."""
    arrays: dict[str, Any] = {}
    for name in _ARRAYS:
        parts = [getattr(example, name) for example in examples]
        arrays[name] = np.concatenate(parts)
        arrays[f"{name}_ends"] = np.cumsum([len(part) for part in parts])
    told = [[example.id, example.source, example.page, example.query, example.texts] for example in examples]
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, told=np.array(json.dumps(told)), **arrays)


def load(path: Path) -> list[Example]:
    """Return the examples that `save` wrote. Raises OSError when there is no such file."""
    with np.load(path) as found:
        parts = {name: np.split(found[name], found[f"{name}_ends"][:-1]) for name in _ARRAYS}
        told = json.loads(str(found["told"]))
    return [
        Example(id_, source, ids, types, places, answers, page, query, tuple(texts))
        for (id_, source, page, query, texts), ids, types, places, answers in zip(
            told, *(parts[name] for name in _ARRAYS), strict=True
        )
    ]
