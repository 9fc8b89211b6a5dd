"""Styles of a page as they come from anyone."""

import re
import time
from collections.abc import Callable

import pytest

from querygist.text.html import css, visibility

PATTERNS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (css, visibility)
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
}
WHOLE = {"css._SIMPLE"}
"""Patterns that match a whole string or nothing; the others are looked for at every place."""

SHAPES = [
    *(("", piece) for piece in ["a", "-", " ", "0", ".", "#", "(", "/* ", "{", "a:", "a-", ":", "é", "0 ", " 0."]),
    *(("", f"{name}(") for name in ("opacity", "translate", "scale", "rect", "rgba", "inset", "polygon")),
    *(("", piece) for piece in ("translate(calc(", "rgb(1,", "polygon(0 0", "d-sm-", " hidden-", " a:not-sr-only")),
    *[("opacity(", "0"), ("opacity(0", ".0"), ("translate(", "-1"), ("translate(-", "1"), ("rect(0", ",")],
    *[(":", "a"), ("a", " "), ("a:", "\n"), (" 0", "0"), (" 0.", "0"), ("/*", "*"), (".", "a"), ("rgb(1", " ")],
]


def slowest(read: Callable[[str], object], length: int) -> float:
    """Processor seconds for the worst text of so many characters."""
    worst = 0.0
    for begin, piece in SHAPES:
        text = begin + piece * (length // len(piece)) + "\0"
        began = time.process_time()
        read(text)
        worst = max(worst, time.process_time() - began)
    return worst


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_for_styles_take_linear_time(name: str) -> None:
    pattern = PATTERNS[name]
    read: Callable[[str], object] = pattern.fullmatch if name in WHOLE else pattern.findall
    assert slowest(read, 4_000) < 0.05
    assert slowest(read, 100_000) < 0.2, "25 times as long; a quadratic pattern takes 625 times as long"


def test_reading_styles_takes_linear_time() -> None:
    for read in (css.declarations, lambda text: css.rules_of(f".a {{{text}}}")):
        assert slowest(read, 4_000) < 0.05
        assert slowest(read, 100_000) < 0.2


@pytest.mark.parametrize(
    ("style", "hidden"),
    [
        ("transform: translate(-999px, 0)", True),
        ("transform: translateX(calc(-100% - 9999px))", True),
        ("transform: translate(-50%, -50%)", False),
        ("left: -999px; position: absolute", True),
        ("/* left: -999px */ position: absolute", False),
        ("position: absolute; /* left: -999px", False),
    ],
)
def test_what_stands_off_the_page_is_hidden(style: str, hidden: bool) -> None:
    assert css.hides(css.declarations(style)) is hidden


@pytest.mark.parametrize(("opacity", "clear"), [("0", True), ("0.0%", True), (".0", True), ("0.5", False), ("", True)])
def test_a_filter_may_make_transparent(opacity: str, clear: bool) -> None:
    assert css.is_transparent(css.declarations(f"filter: opacity({opacity})")) is clear
