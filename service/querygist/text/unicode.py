"""Classes of characters, as patterns, and the one rule for blank and invisible runs.

They come from Python's own Unicode tables, so they keep step with the interpreter.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain

_JOINERS = "\u200c\u200d"
_TAGS = range(0xE0000, 0xE1000)
# All of Unicode but Han ideographs, Hangul syllables (both named by range below), surrogates and private use.
_PLANES = (range(0x3400), range(0xA000, 0xAC00), range(0xF900, 0x20000), range(0x2F800, 0x2FA20), _TAGS)
_CATEGORY = {c: unicodedata.category(c) for c in map(chr, chain.from_iterable(_PLANES))}
_MARK = {c for c, category in _CATEGORY.items() if category[0] == "M"}


_JOINING_SCRIPTS = (range(0x600, 0x1B00), range(0xA800, 0xAC00), range(0xFB50, 0xFEFF), range(0x10A00, 0x12000))
_EMOJI_BLOCKS = (range(0x2190, 0x2C00), range(0x1F000, 0x1FB00))


def _set_of(characters: Iterable[str]) -> str:
    """Characters as ranges for use between square brackets."""
    runs: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)


def _is_joining(character: str, category: str) -> bool:
    """True when a zero-width joiner or non-joiner beside this character shapes what a reader sees.

    It does in Arabic and the scripts of Asia (Persian spelling, Indic conjuncts) and in emoji sequences. In Latin,
    Greek, Cyrillic and Hebrew it shows nothing, and only hides words from a search.
    """
    code = ord(character)
    if any(code in script for script in _JOINING_SCRIPTS):
        return category[0] == "L"
    return character == "\u2194" or (category in {"So", "Sk"} and any(code in block for block in _EMOJI_BLOCKS))


_CANONICAL = {c: d for c in _CATEGORY if (d := unicodedata.decomposition(c)) and not d.startswith("<")}
_SECONDS = {chr(int(d.split()[1], 16)) for d in _CANONICAL.values() if " " in d}

_LATIN = r"\x00-\u02ff"  # no mark among them: a glance that spares the search through some hundred ranges

MARK = rf"(?:(?![{_LATIN}])[{_set_of(_MARK)}])"
"""Pattern of a combining mark."""

_COMPOSING = rf"(?:(?![{_LATIN}])[{_set_of(_MARK | _SECONDS)}])"
_HANGUL = "(?:[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2])"
_UNSTABLE = rf"(?:(?![{_LATIN}])[{_set_of(c for c in _CANONICAL if unicodedata.normalize('NFC', c) != c)}])"

SINGLETONS = {ord(c): n for c in _CANONICAL if len(n := unicodedata.normalize("NFC", c)) == 1 and n != c}
"""Characters that NFC replaces by one other (the Angstrom sign by the letter), for `str.translate`."""

CLUSTER = re.compile(rf"(?:{_HANGUL}|(?!{_COMPOSING}).)?{_COMPOSING}+|{_HANGUL}|{_UNSTABLE}", re.DOTALL)
"""Text that NFC may change: a character or Hangul syllable in parts and its marks, or a character NFC replaces.
NFC does not look across its borders, so that a text may be normalized cluster by cluster."""

_FORMAT_BUT_SEEN = {*map(chr, range(0x600, 0x606)), "\u06dd", "\u08e2"}  # Arabic number signs
_INVISIBLE = _set_of(
    {c for c, category in _CATEGORY.items() if category in {"Cc", "Cf"} and not c.isspace()}.union(map(chr, _TAGS))
    - _FORMAT_BUT_SEEN.union(_JOINERS)
)
# Controls and format characters: zero-width, bidirectional, soft hyphen, byte order mark; and the tag characters and
# variation selectors of plane 14, which can carry a whole hidden message.

UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u3131-\u318e\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
"""Inside of a set: Thai, Lao, Tibetan, Burmese, Khmer, kana, Hangul and Han,
read character by character and not between spaces."""

LETTER = rf"[^\W_{UNSPACED}]"
"""Pattern of a letter or digit of the scripts that put spaces between words."""

SYMBOL = rf"(?:(?=[^\w\s])[{_set_of(c for c, category in _CATEGORY.items() if category[0] == 'S')}])"
"""Pattern of an emoji, a currency or a mathematical sign."""

PICTOGRAPH = rf"(?:(?![{_LATIN}])[{_set_of(c for c, category in _CATEGORY.items() if category == 'So')}])"
"""Pattern of an emoji or another picture."""

_ODD = rf"{_INVISIBLE}\t\v\f\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BLANK = rf" \n{_ODD}{_JOINERS}"

BLANKS = "".join(re.findall(f"[{_BLANK}]", "".join(_CATEGORY)))
"""Every blank or invisible character, for `str.strip`."""

UNTIDY = re.compile(rf"[{_ODD}{_JOINERS}][{_BLANK}]*| [{_BLANK}]+|\n(?:\n[{_BLANK}]+|[ {_ODD}{_JOINERS}][{_BLANK}]*)")
"""A run of blank and invisible characters other than one space or one or two line feeds. See `tidied`."""

_JOINING = frozenset(c for c, category in _CATEGORY.items() if _is_joining(c, category))
_MOST_MARKS = 32
_LINE_END = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _joins(text: str, joiner: int) -> bool:
    """True when the joiner at this place joins a letter or picture, whatever its marks, to another or to a mark."""
    following = text[joiner + 1 : joiner + 2]
    if not following or not (following in _JOINING or _is_mark(following)):
        return False
    before = joiner - 1
    while before >= max(0, joiner - _MOST_MARKS) and (_is_mark(text[before]) or text[before] in _JOINERS):
        before -= 1
    return before >= 0 and text[before] in _JOINING


_GROW_ON = frozenset(f"{_JOINERS}\u0e33\u0eb3" + "".join(map(chr, range(0x1F3FB, 0x1F400))))  # sara am, skin tones


def character_start(text: str, at: int) -> int:
    """Return the last place up to `at` where a character as readers see it begins: none loses its marks."""
    while 0 < at < len(text) and (text[at] in _GROW_ON or text[at - 1] == "\u200d" or _is_mark(text[at])):
        at -= 1
    return at


def tidied(run: re.Match[str]) -> str:
    """Return what replaces a match of `UNTIDY`: one space, one or two line feeds, nothing, or a joiner that joins."""
    text = run[0]
    if text in _JOINERS:
        return text if _joins(run.string, run.start()) else ""
    breaks = len(_LINE_END.findall(text))
    if breaks:
        return "\n" if breaks == 1 else "\n\n"
    return " " if any(map(str.isspace, text)) else ""


def one_line(text: str) -> str:
    """The text on one line: invisible characters gone, single spaces, none at either end.

    Of two texts of which one begins the other, so do the results: streams rely on it.
    """
    return " ".join(UNTIDY.sub(tidied, text.strip(BLANKS)).split())


del _CATEGORY, _CANONICAL, _MARK, _SECONDS  # some megabytes
