"""What a system wrote, one line an example, on disk as soon as it is there: a stopped evaluation goes on.

The file's name holds a hash of what the outputs were made from, so that those of another model are never taken for
them, and none is lost when a config changes and changes back.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from querygist.errors import ConfigurationError
from training.data.example_io import Example
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
        self._written = self._read()

    @property
    def written(self) -> Mapping[str, Generated]:
        """What is there, by example id."""
        return MappingProxyType(self._written)

    def missing(self, examples: Iterable[Example]) -> list[Example]:
        """Those that have no output yet, in order."""
        return [example for example in examples if example.id not in self._written]

    def append(self, example: Example, written: Generated) -> None:
        """Keep one output. Raises ValueError when the example has one."""
        if example.id in self._written:
            raise ValueError(f"{self.path} has an output for {example.id} already")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": example.id, **asdict(written)}, ensure_ascii=False) + "\n")
        self._written[example.id] = written

    def _read(self) -> dict[str, Generated]:
        """The outputs in the file; a last line without its end, of a process that died writing it, is taken off."""
        if not self.path.exists():
            return {}
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.decode().split("\n") if line]
            found = {line.pop("id"): Generated(**line) for line in lines}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigurationError(
                f"{self.path} is not a file of outputs ({type(error).__name__}). Delete it, and they are written again."
            ) from error
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        return found
