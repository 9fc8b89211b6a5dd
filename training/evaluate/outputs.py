"""Outputs of a system, one line an example, on disk as soon as it is there: a stopped evaluation goes on.

The file's name holds a hash of what the outputs were made from, so that those of another model are never taken for
them, and none is lost when a config changes and changes back.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import chain, islice, zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

from querygist.errors import ConfigurationError
from training.data.examples import Example
from training.fingerprint import sha256_of_text
from training.generate.generator import Generated


class Outputs:
    """The outputs of one system, by example id. One process at a time writes them."""

    def __init__(self, folder: Path, system: str, made_from: Mapping[str, str]) -> None:
        """`made_from`: all that an output follows from, by name: hashes of model and test file, options.

        Raises ConfigurationError when the file is not one of outputs.
        """
        digest = sha256_of_text(json.dumps(dict(made_from), sort_keys=True))[:12]
        self.path = folder / f"{system}-{digest}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._found = read(self.path) if self.path.exists() else {}

    @property
    def found(self) -> Mapping[str, Generated]:
        """The outputs that are there, by example id."""
        return MappingProxyType(self._found)

    def missing(self, examples: Iterable[Example]) -> list[Example]:
        """Those that have no output yet, in order."""
        return [example for example in examples if example.id not in self._found]

    def append(self, example: Example, output: Generated) -> None:
        """Keep one output. Raises ValueError when the example has one."""
        if example.id in self._found:
            raise ValueError(f"{self.path} has an output for {example.id} already")
        append_line(self.path, {"id": example.id, **asdict(output)})
        self._found[example.id] = output


def read(path: Path) -> dict[str, Generated]:
    """The outputs in a file, by example id. Raises ConfigurationError when it cannot be read or is no such file."""
    try:
        return {line.pop("id"): Generated(**line) for line in whole_lines(path)}
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the outputs {path}: {error.strerror}. `python -m training evaluate` writes them."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is not a file of outputs ({type(error).__name__}). Delete it, and they are generated again."
        ) from error


def spread(examples: Iterable[Example], count: int) -> list[Example]:
    """The first `count` examples, taken from the sources in turn."""
    sources: dict[str, list[Example]] = defaultdict(list)
    for one in examples:
        sources[one.source].append(one)
    turns = chain.from_iterable(zip_longest(*sources.values()))
    return list(islice((one for one in turns if one is not None), count))


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Add one object to a file of JSON lines, its folder being there."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False) + "\n")


def whole_lines(path: Path) -> list[Any]:
    """The objects in such a file; a last line without its end, of a process that died writing it, is taken off."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    found = [json.loads(line) for line in whole.decode().split("\n") if line]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return found
