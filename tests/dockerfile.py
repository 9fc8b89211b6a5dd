"""The Dockerfile, taken apart: its stages and their instructions."""

import io
import json
import re
import shlex
from dataclasses import dataclass, field

from dockerfile_parse import DockerfileParser

from tests.conftest import REPOSITORY

PATH = REPOSITORY / "Dockerfile"


@dataclass
class Stage:
    """`instructions` are (name, value) in order, flags included."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.instructions if each == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def environment(self) -> dict[str, str]:
        return dict(word.split("=", 1) for value in self.all("ENV") for word in shlex.split(value))  # type: ignore[misc]

    def words(self, name: str) -> list[str]:
        """An instruction in exec form."""
        found: list[str] = json.loads(self.one(name))
        return found


def read() -> dict[str, Stage]:
    """The stages by name."""
    stages: dict[str, Stage] = {}
    for each in DockerfileParser(fileobj=io.BytesIO(PATH.read_bytes())).structure:
        name, value = each["instruction"], each["value"]
        if name == "FROM":
            found = re.fullmatch(r"(\S+) AS (\S+)", value)
            assert found, value
            stages[found[2]] = Stage(found[2], found[1])
        elif stages and name != "COMMENT":
            list(stages.values())[-1].instructions.append((name, value))
    return stages


def without_flags(value: str) -> str:
    """An instruction's value without `--mount=...` and the like."""
    return re.sub(r"^(?:--\S+\s+)+", "", value)
