"""The fingerprint of a finished stage: which files it made, and from what. While it matches, there is nothing to do."""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

import querygist
import training
from querygist.artifact.fingerprint import StoredFile
from querygist.files import replacing, sha256_of

_PACKAGES = {package.__name__: Path(str(package.__file__)).parent for package in (querygist, training)}


class Fingerprint(BaseModel):
    """Written last. `made_from`: hashes of the inputs by name; `outputs`: what came out, by file name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_from: dict[str, str]
    outputs: dict[str, StoredFile]


def matches(path: Path, made_from: Mapping[str, str]) -> bool:
    """Return whether the outputs beside the fingerprint at `path` were made from exactly this, and are intact."""
    try:
        found = Fingerprint.model_validate_json(path.read_bytes())
        intact = all(StoredFile.of(path.parent / name) == file for name, file in found.outputs.items())
    except (OSError, ValidationError):
        return False
    return intact and found.made_from == dict(made_from)


def write(path: Path, made_from: Mapping[str, str], outputs: Iterable[Path]) -> None:
    """Write the fingerprint of outputs that lie in its folder."""
    made = Fingerprint(made_from=dict(made_from), outputs={file.name: StoredFile.of(file) for file in outputs})
    with replacing(path) as partial:
        partial.write_text(json.dumps(made.model_dump(), indent=2) + "\n", encoding="utf-8")


def sha256_of_text(text: str) -> str:
    """Return the lowercase hexadecimal sha256 of a text in UTF-8."""
    return sha256(text.encode()).hexdigest()


def sha256_of_code(module: str) -> str:
    """Return one hash of the source of a module and of all that it imports from our packages, directly or not."""
    return sha256_of_text("".join(f"{name} {sha256_of(path)}\n" for name, path in sorted(source_files(module).items())))


def source_files(module: str) -> dict[str, Path]:
    """Return the files of a module and of all modules of ours that it imports, wherever in the file, by name."""
    files: dict[str, Path] = {}
    waiting = {module}
    while waiting:
        name = waiting.pop()
        if name not in files and (path := _file_of(name)) is not None:
            files[name] = path
            waiting |= {name.rpartition(".")[0], *_imported(ast.parse(path.read_text(encoding="utf-8")))}
    return files


def _file_of(name: str) -> Path | None:
    """Return where a module lies, found without importing it; None for what is none of ours, or no module."""
    package, *rest = name.split(".")
    if package not in _PACKAGES:
        return None
    base = _PACKAGES[package].joinpath(*rest)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a source file imports; of `from a import b`, `a` and `a.b`, which may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
