"""Conventions of names and docstrings, held over all files."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

LONGEST_TEST_NAME = 60
QUESTION = re.compile(r"(What|Whether|Who|Whose|How|Which|When|Where|Why|Is|Are|Until)\b")
SOURCES = ("service/querygist", "training", "loadtest", "deploy", "model_repository")


def functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def test_a_test_name_has_at_most_60_characters() -> None:
    names = [(path.name, name) for path in (REPOSITORY / "tests").rglob("test_*.py") for name in functions(path)]
    assert [(file, name) for file, name in names if len(name) > LONGEST_TEST_NAME and name.startswith("test_")] == []


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    files = [path for folder in SOURCES for path in (REPOSITORY / folder).rglob("*.py")]
    assert len(files) > 200
    assert [(path.name, text[:40]) for path in files for text in docstrings(path) if QUESTION.match(text)] == []
