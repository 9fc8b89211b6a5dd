"""Numbers in running text and what they are worth, in figures of any script and in English words.

Some notations have two readings ("1.000" is a thousand or one); whoever compares should accept either.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

Reading = Decimal | str
"""A value, or figures that are no single value: a date, a version."""

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {
    **{word: value for value, word in enumerate(_BELOW_TWENTY.split())},
    **{word: value for value, word in enumerate(_ORDINALS.split(), 1)},
    **{form: 10 * tens for tens, word in enumerate(_TENS.split(), 2) for form in (word, f"{word[:-1]}ieth")},
}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9, "tn": 10**12}
_RARELY_NUMBERS = {"one", "first", "second"}
"""Alone, these are mostly a pronoun, an adverb and a time."""

_ATOM = re.compile(
    r"(?P<figures>\d{1,3}(?: \d{3})+(?!\d)|\d+(?:[.,'’]\d+)*)(?:(?P<short>k|mn?|bn?|tn)\b)?"
    r"|(?P<fraction>[¼-¾⅐-⅞])"
    rf"|\b(?P<word>{'|'.join(sorted([*_VALUES, *_SCALES], key=len, reverse=True))})\b",
    re.IGNORECASE,
)
_JOIN = re.compile(r"\s*-\s*|\s+(?:and\s+)?", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}([.,'’ ])\d{3}(?:\1\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")  # the last one is Indian
_LONGEST = 8  # atoms in one number


@dataclass(frozen=True, slots=True)
class _Atom:
    """A figure, fraction or number word. `scale`: what it multiplies by, or 0; `in_name`: as in B12."""

    start: int
    end: int
    text: str
    readings: frozenset[Reading]
    scale: int
    is_word: bool
    in_name: bool


def numbers(text: str) -> Iterator[tuple[int, str, frozenset[Reading]]]:
    """Start, text and readings of each number. Figures inside of a word (B12) are none, nor is "one" alone."""
    for phrase in _phrases(text):
        i = 0
        while i < len(phrase):
            most = min(_LONGEST, len(phrase) - i)
            count, readings = next((n, found) for n in range(most, 0, -1) if (found := _readings(phrase[i : i + n])))
            first, last = phrase[i], phrase[i + count - 1]
            i += count
            if not first.in_name and (count > 1 or first.text.casefold() not in _RARELY_NUMBERS):
                yield first.start, text[first.start : last.end], readings


def number_values(text: str) -> frozenset[Reading]:
    """All readings of all numbers in a text, of what they are made of, and of figures inside of words."""
    values: set[Reading] = set()
    for phrase in _phrases(text):
        for i, atom in enumerate(phrase):
            for n in range(1, min(_LONGEST, len(phrase) - i) + 1):
                values |= _readings(phrase[i : i + n])
            if " " in atom.text or any(isinstance(reading, str) for reading in atom.readings):
                values |= {Decimal(part) for part in re.findall(r"\d+", atom.text)}
    return frozenset(values)


def _phrases(text: str) -> Iterator[list[_Atom]]:
    """Number words and figures that stand together."""
    phrase: list[_Atom] = []
    for found in _ATOM.finditer(text):
        if phrase and not _JOIN.fullmatch(text, phrase[-1].end, found.start()):
            yield phrase
            phrase = []
        phrase.append(_atom(found))
    if phrase:
        yield phrase


def _atom(found: re.Match[str]) -> _Atom:
    scale = 0
    readings: frozenset[Reading]
    if figures := found["figures"]:
        readings = _of_figures(figures)
        if found["short"]:  # "5m" may be metres
            times = _SHORT_SCALES[found["short"].casefold()]
            readings |= {reading * times for reading in readings if isinstance(reading, Decimal)}
    elif fraction := found["fraction"]:
        readings = frozenset({Decimal(str(unicodedata.numeric(fraction)))})
    else:
        word = found["word"].casefold()
        scale = _SCALES.get(word, 0)
        readings = frozenset({Decimal(scale or _VALUES[word])})
    start, end = found.span()
    in_name = bool(figures) and start > 0 and found.string[start - 1].isalpha()
    return _Atom(start, end, found[0], readings, scale, found["word"] is not None, in_name)


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


def _readings(atoms: Sequence[_Atom]) -> frozenset[Reading]:
    """What the atoms are worth as one number; nothing when they are not one number."""
    first, *rest = atoms
    if not rest:
        return first.readings
    if not all(atom.scale or (atom.is_word and first.is_word) for atom in rest):
        return frozenset()
    starts = (reading for reading in first.readings if isinstance(reading, Decimal))
    return frozenset(total for start in starts if (total := _total(start, rest)) is not None)


def _total(current: Decimal, rest: Sequence[_Atom]) -> Decimal | None:
    """`current` multiplied and added to, as in two | hundred thousand and twenty five."""
    total, limit = Decimal(0), 10**15
    for atom in rest:
        value = next(reading for reading in atom.readings if isinstance(reading, Decimal))
        if atom.scale == 100:
            if not 0 < current < 100:
                return None
            current *= 100
        elif atom.scale:
            if atom.scale >= limit or not current:
                return None
            total, current, limit = total + current * atom.scale, Decimal(0), atom.scale
        else:
            if not 0 < value < _room_below(current, limit):
                return None
            current += value
    return total + current


def _room_below(current: Decimal, limit: int) -> int:
    """What a number word after this value stays below: nothing, hundreds, tens."""
    if not current:
        return limit
    if current % 100 == 0:
        return 100
    return 10 if current % 10 == 0 and current % 100 >= 20 else 0
