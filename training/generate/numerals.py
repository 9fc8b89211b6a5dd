"""Numbers in running text and what they are worth, in figures of any script and, by text2num, in English words.

Some notations have two readings ("1.000" is a thousand or one); whoever compares should accept either.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from text_to_num import find_numbers  # type: ignore[import-untyped]

Reading = Decimal | str
"""A value, or figures that are no single value: a date, a version."""

_FIGURES = re.compile(
    r"(?P<figures>\d{1,3}(?: \d{3})+(?!\d)|\d+(?:[.,'’]\d+)*)(?:(?P<scale>k|mn?|bn?|tn)\b)?|(?P<fraction>[¼-¾⅐-⅞])",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"\d{1,3}([.,'’ ])\d{3}(?:\1\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")  # the last one is Indian
_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9, "tn": 10**12}
_POWERS = {Decimal(10) ** zeros for zeros in range(2, 15)}
_RARELY_NUMBERS = {"o", "one", "first", "second"}
"""Alone, these are mostly a letter, a pronoun, an adverb and a time."""


@dataclass(frozen=True, slots=True)
class Number:
    """`parts`: readings of what it is made of, as of 330 million. `ambiguous`: perhaps none (B12; "one" alone)."""

    start: int
    end: int
    readings: frozenset[Reading]
    parts: frozenset[Reading] = frozenset()
    ambiguous: bool = False


def numbers(text: str) -> list[Number]:
    """Return the numbers of a text in order. Figures and a power of ten behind them are one."""
    found: list[Number] = []
    for number in sorted([*_figures(text), *_words(text)], key=lambda number: number.start):
        last = found[-1] if found else None
        if last and number.readings & _POWERS and re.fullmatch(r"\s*-\s*|\s+", text[last.end : number.start]):
            [power] = number.readings
            if products := frozenset(one * power for one in last.readings if isinstance(one, Decimal)):  # type: ignore[operator]
                parts = last.readings | last.parts | number.readings
                found[-1] = Number(last.start, number.end, products, parts, last.ambiguous)
                continue
        found.append(number)
    return found


def number_values(text: str) -> frozenset[Reading]:
    """All readings of all numbers in a text, of what they are made of, and of figures inside of words."""
    return frozenset[Reading]().union(*(number.readings | number.parts for number in numbers(text)))


class _Token(str):
    """A word, in the form text2num takes."""

    __slots__ = ()

    def text(self) -> str:
        return str(self)

    def nt_separated(self, previous: "_Token") -> bool:  # noqa: ARG002
        return False

    def not_a_number_part(self) -> bool:
        return False


def _words(text: str) -> Iterator[Number]:
    tokens = [_Token(token) for token in re.findall(r"[^\W\d_]+|\d+|\s+|.", text)]
    starts = list(accumulate(map(len, tokens), initial=0))
    for one in find_numbers(tokens, "en", 0):
        start, end = starts[one.start], starts[one.end]
        alone = (part for token in tokens[one.start : one.end] for part in find_numbers([token], "en", 0))
        parts = frozenset(Decimal(part.value) for part in alone)
        rare = text[start:end].casefold() in _RARELY_NUMBERS
        yield Number(start, end, frozenset({Decimal(one.value)}), parts, ambiguous=rare)


def _figures(text: str) -> Iterator[Number]:
    for found in _FIGURES.finditer(text):
        if fraction := found["fraction"]:
            yield Number(*found.span(), frozenset({Decimal(str(unicodedata.numeric(fraction)))}))
            continue
        readings = _of_figures(found["figures"])
        if scale := found["scale"]:  # "5m" may be metres
            readings |= {one * _SCALES[scale.casefold()] for one in readings if isinstance(one, Decimal)}
        divided = " " in found["figures"] or any(isinstance(one, str) for one in readings)
        parts = frozenset(map(Decimal, re.findall(r"\d+", found["figures"]))) if divided else frozenset()
        in_name = found.start() > 0 and text[found.start() - 1].isalpha()
        yield Number(*found.span(), readings, parts, ambiguous=in_name)


def _of_figures(figures: str) -> frozenset[Reading]:
    """`figures`: digits, with single separators between them."""
    separators = re.findall(r"\D", figures)
    if not separators:
        return frozenset({Decimal(figures)})
    whole = Decimal(re.sub(r"\D", "", figures))
    if _GROUPED.fullmatch(figures):
        return frozenset({whole, Decimal(figures)} if separators == ["."] else {whole})
    point = figures.rindex(separators[-1])
    before, after = figures[:point], figures[point + 1 :]
    if separators[-1] in ".," and separators[-1] not in before and (before.isdecimal() or _GROUPED.fullmatch(before)):
        return frozenset({whole.scaleb(-len(after))})
    return frozenset({figures})
