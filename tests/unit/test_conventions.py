"""Conventions of the tests themselves."""

import ast
from pathlib import Path

LONGEST = 60


def names(path: Path) -> list[str]:
    """The test functions of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_a_test_name_has_at_most_60_characters() -> None:
    files = Path(__file__).parent.parent.rglob("test_*.py")
    long = [f"{path.name}: {name}" for path in files for name in names(path) if name.startswith("test_")]
    assert [name for name in long if len(name.partition(": ")[2]) > LONGEST] == []
