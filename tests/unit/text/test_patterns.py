"""pytest tests/unit/text/test_patterns.py"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import querygist

ELSEWHERE = {"querygist.__main__", "querygist.triton_backend.model", "querygist.triton_backend.counters"}
"""Not to be imported here: it runs the program; those want Triton around them, and have no pattern."""

WRONG = {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}


def opcodes(parsed: Any) -> Iterator[str]:
    for opcode, argument in parsed:
        yield str(opcode)
        parts = argument if isinstance(argument, tuple | list) else [argument]
        for part in parts:
            for branch in part if isinstance(part, list) else [part]:
                if isinstance(branch, _parser.SubPattern):
                    yield from opcodes(branch)


def test_the_walk_finds_them_however_deep() -> None:
    assert WRONG & set(opcodes(_parser.parse("a(?:b|(c(?=d++)))*")))
    assert WRONG & set(opcodes(_parser.parse("(?>a)")))
    assert not WRONG & set(opcodes(_parser.parse("a(?:b|c+)*")))


def test_no_pattern_needs_what_debian_12_gets_wrong() -> None:
    """Python 3.11.2's `re` matches possessive repeats of groups wrongly: words went missing. Use `regex` for them."""
    checked = 0
    for module in pkgutil.walk_packages(querygist.__path__, "querygist."):
        if module.name in ELSEWHERE:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                checked += 1
                assert not WRONG & set(opcodes(_parser.parse(value.pattern, value.flags))), f"{module.name}.{name}"
    assert checked > 20
