"""JSON files of our own, and TOML files that people write: checked when they are read, with the field that is wrong."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from querygist.errors import ConfigurationError, QuerygistError

T = TypeVar("T")


def load(
    kind: type[T], path: Path, what: str, remedy: str = "", *, raising: type[QuerygistError] = ConfigurationError
) -> T:
    """Read a `kind`, called `what` in messages. Raises `raising`, naming the file and the field."""
    try:
        if path.suffix == ".toml":
            return TypeAdapter(kind).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except tomllib.TOMLDecodeError as error:
        raise raising(f"{path} is not TOML: {error}.") from error
    except OSError as error:
        raise raising(f"Cannot read the {what} {path}: {error.strerror}. {remedy}".rstrip()) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise raising(f"{path} is not a {what}: wrong at {where}: {first['msg']}. {remedy}".rstrip()) from error


def save(path: Path, value: object, *, indent: int | None = None) -> None:
    """Write a value that `load` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TypeAdapter(type(value)).dump_json(value, indent=indent) + b"\n")
