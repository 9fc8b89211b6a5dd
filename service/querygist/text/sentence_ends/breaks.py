"""Sentence breaks of plain text in any script, by rules that look at little text and never change their mind.

Whether a sentence ends at a place depends on what stands before it, on the word behind it, and on where a quotation or
bracket that is open there closes. Where that is not known yet, neither this end nor a later one is given.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from querygist.text.sentence_ends import abbreviations
from querygist.text.sentence_ends.enclosures import Enclosures
from querygist.text.sentence_ends.full_stops import (
    LONGEST_LABEL,
    begins_sentence,
    full_stop_ends,
    is_label,
    last_word,
    next_word,
)
from querygist.text.sentence_ends.line_ends import is_short_line, line_ends

_CLOSERS = r"\"'”’»›)\]}」』）】》〉"
_STRONG = "。！？｡।॥؟۔።։។៕།༎"  # ends a sentence whatever follows, even without a space
_PHRASED = "\u0e01-\u0e2e\u0e30-\u0e45\u0e47-\u0e4e\u0e81-\u0ec4\u0ec8-\u0ecd"  # Thai and Lao have no full stop
_SPACE = r"[ \u00a0\u202f]"
_BREAK = (  # one first set of characters, for a fast search. No backtracking may help: it would let ends be overturned
    rf"[.!?…{_STRONG}\n](?:"
    rf"(?<![{_STRONG}.!?…]{{2}})(?<!\n)(?:(?<=[.!?…])"
    rf"([.!?…]*(?:[{_CLOSERS}“«]|{_SPACE}[»›](?!\w)|{_SPACE}?\[\d{{1,3}}\])*)"  # [3] is a footnote of an encyclopedia
    rf"(?:{_SPACE}(?=[^\s»›\[]|[»›]\w|\[(?:\d{{0,3}}[^\d\]]|\d{{4}}|\]))|(?:{_SPACE}\s|(?!{_SPACE})\s)\s*(?=\S))"
    rf"|(?:(?<=[{_STRONG}])|[.!?…]*[{_STRONG}])([{_STRONG}.!?…]*(?![{_STRONG}.!?…])[{_CLOSERS}]*(?![{_CLOSERS}]))\s*(?=\S))"
    r"|(?<=\n)()\s*(?=\S))"
)
_SPACED = re.compile(_BREAK)
_UNSPACED = re.compile(rf"{_BREAK}|() (?<=[{_PHRASED}] )(?=[{_PHRASED}])")
_PENDING = re.compile(r"(\S)\s+(?:[»›][^\w\s]*|\[\d{0,3}\]?)$")  # closes the sentence before, or opens the next
_PENDING_REACH = 16
_ANY_PHRASED = re.compile(f"[{_PHRASED}]")
_WEAK, _SURE, _LINE, _PHRASE = 1, 2, 3, 4

_ITEM = re.compile(r"(?:[-*•‣◦▪●⁃·–—]|\d{1,3}(?:\.|\.?\))|(?:[a-z]|[ivx]{1,5})\.?\))")
_MARKS = ".!?…,;)]"
_LEFT_OUT = {"…]", "...]", "…)", "...)"}  # "[…]"
_QUOTING = "とのがをはっ、，；：,;"  # what follows a quotation in its sentence
_LONG_PHRASE = 100  # characters of Thai, from which on a space may end a sentence


def _ends(text: str, start: int, end: int, found: re.Match[str], *, final: bool) -> bool | None:
    """True when the sentence that began at `start` ends at this candidate; None while that is unknown."""
    after = found.end()
    line_feeds = text.count("\n", end, after)
    if line_feeds > 1:
        return True
    if line_feeds:
        following = next_word(text, after, final=final)
        if following is None:
            return None
        if _ITEM.fullmatch(following):
            return True
    return _decide(text, start, end, found, final=final)


def _decide(text: str, start: int, end: int, found: re.Match[str], *, final: bool) -> bool | None:
    """Decide on a candidate that no blank line and no item follows."""
    after = found.end()
    if found.lastindex == _SURE:
        return after > end or not _reads_on(text, start, end)
    if found.lastindex == _PHRASE:
        return end - start >= _LONG_PHRASE
    if text[after].islower():
        return False
    if found.lastindex == _LINE:
        return line_ends(text, start, end, after, final=final)
    return _weak_ends(text, start, end, found, final=final)


def _weak_ends(text: str, start: int, end: int, found: re.Match[str], *, final: bool) -> bool | None:
    """Decide on marks that end most sentences."""
    first, after = found.start(), found.end()
    marks = text[first:end]
    left_out = marks in _LEFT_OUT and first > start and text[first - 1] in "[("
    if left_out or (end - start <= LONGEST_LABEL and is_label(text, start, end)):
        return False
    if text[after] in _MARKS:  # ". . .", "! !"
        following = next_word(text, after, final=final)
        if following is None or not following.strip(_MARKS):
            return None if following is None else False
    if marks == ".":
        new_line = "\n" in text[end:after] and is_short_line(text, start, end)
        return full_stop_ends(text, start, first, after, new_line=new_line, final=final)
    exclaimed = marks == "!" and last_word(text, start, first).casefold() in abbreviations.EXCLAIMED
    if not exclaimed and text[after] not in "(I":
        return True
    following = next_word(text, after, final=final)
    return None if following is None else _marks_end(marks, following, exclaimed=exclaimed)


def _marks_end(marks: str, following: str, *, exclaimed: bool) -> bool:
    """Decide on other marks than a lone full stop: they end a sentence, unless they belong to a name or a title."""
    if exclaimed:
        return begins_sentence(following)
    if marks in {"...", "…"}:
        return re.fullmatch(r"I(?:['’]\w+)?", following) is None  # "I thought... I would go."
    return not (marks in {"!", "?"} and re.match(r"\(\d", following))  # "Virginia Woolf? (1962)"


def _reads_on(text: str, start: int, end: int) -> bool:
    """True when the sentence goes on behind a quotation or bracket that ends with a full stop, and no space."""
    if text[end - 1] in "）】》〉)]":
        return text[start] not in "（【《〈(["
    if text[end - 1] not in "”’」』":
        return False
    return text[end] in _QUOTING or (text[start] in "“‘「『" and "\u4e00" <= text[end] <= "\u9fff")


class Break(NamedTuple):
    """The end of a sentence and the start of the next one; not `certain`: perhaps, as is what follows."""

    end: int
    start: int
    certain: bool


def breaks(text: str, *, final: bool) -> Iterator[Break]:
    """Yield the breaks up to the first that cannot be decided yet, and that. `final`: the text is complete."""
    start = 0
    enclosures = Enclosures(text, final=final)
    pattern = _SPACED if text.isascii() or not _ANY_PHRASED.search(text) else _UNSPACED
    length = len(text.rstrip())
    for found in pattern.finditer(text, 0, length):
        end = found.start() if found.lastindex in {_LINE, _PHRASE} else found.end(found.lastindex or 0)
        ends = _ends(text, start, end, found, final=final)
        enclosed = False if ends is False else enclosures.open_at(start, end)
        if ends is False or enclosed:
            continue
        certain = ends is True and enclosed is False
        yield Break(end, found.end(), certain)
        if not certain:
            return
        start = found.end()
    pending = None if final else _PENDING.search(text, max(start, length - _PENDING_REACH), length)
    if pending:
        yield Break(pending.end(1), len(text), certain=False)
