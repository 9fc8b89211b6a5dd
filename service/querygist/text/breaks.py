"""Sentence breaks of plain text in any script, by rules that look at little text and never change their mind.

Whether a sentence ends at a place depends on what stands before it, on the word behind it, and on where a quotation or
bracket that is open there closes. Where that is not known yet, neither this end nor a later one is given.
"""

import re
from collections.abc import Iterator

from querygist.text import abbreviations
from querygist.text.enclosures import Enclosures
from querygist.text.full_stops import begins_sentence, full_stop_ends, last_word, next_word
from querygist.text.line_ends import is_short_line, line_ends

_CLOSERS = r"\"'”’»›)\]}」』）】》〉"
_STRONG = "。！？｡।॥؟۔።։។៕།༎"  # ends a sentence whatever follows, even without a space
_PHRASED = "\u0e01-\u0e2e\u0e30-\u0e45\u0e47-\u0e4e\u0e81-\u0ec4\u0ec8-\u0ecd"  # Thai and Lao have no full stop
_END = re.compile(  # nothing to backtrack into: it would let a later character overturn an end
    rf"([.!?…]+(?:[{_CLOSERS}“«]|[ \u00a0\u202f][»›]|\[\d{{1,3}}\])*)"  # [3] is a footnote mark of an encyclopedia
    r"\s+(?=[^\s»›]|[»›]\S)"
    rf"|([{_STRONG}][{_STRONG}.!?…]*(?![{_STRONG}.!?…])[{_CLOSERS}]*(?![{_CLOSERS}]))\s*(?=\S)"
    r"|()\n\s*(?=\S)"
    rf"|() (?<=[{_PHRASED}] )(?=[{_PHRASED}])"
)
_WEAK, _SURE, _LINE, _PHRASE = 1, 2, 3, 4

_ITEM = re.compile(r"(?:[-*•‣◦▪●·–—]|\d{1,3}[.)])\s")
_QUOTING = re.compile(
    "と(?!ころ|にかく|ても|きどき)|って|[のがをは、，；：,;]|なんて|など"
)  # what follows a quotation in its sentence
_LONG_PHRASE = 100  # characters of Thai, from which on a space may end a sentence


def _ends(text: str, start: int, found: re.Match[str], *, final: bool) -> bool | None:
    """True when the sentence that began at `start` ends at this candidate; None while that is unknown."""
    after, kind = found.end(), found.lastindex or 0
    end = found.end(kind)
    line_feeds = text.count("\n", found.start(), after)
    if line_feeds > 1 or (line_feeds and _ITEM.match(text, after)):
        return True
    if kind == _SURE:
        return after > end or not _reads_on(text, start, end)
    if kind == _PHRASE:
        return found.start() - start >= _LONG_PHRASE
    if text[after].islower():
        return False
    return _line_or_mark_ends(text, start, found, final=final)


def _line_or_mark_ends(text: str, start: int, found: re.Match[str], *, final: bool) -> bool | None:
    """Decide on a line end or marks that no small letter follows."""
    after, end = found.end(), found.end(found.lastindex or 0)
    if found.lastindex == _LINE:
        return line_ends(text, start, end, after, final=final)
    if found[_WEAK] == ".":
        new_line = "\n" in found[0] and is_short_line(text, start, end)
        return full_stop_ends(text, start, found.start(), after, new_line=new_line, final=final)
    return _exclamation_ends(text, start, found, final=final)


def _exclamation_ends(text: str, start: int, found: re.Match[str], *, final: bool) -> bool | None:
    """Decide on other marks than a lone full stop: they end a sentence, unless they belong to a name or a title."""
    after, mark = found.end(), found[_WEAK]
    if mark in {"…]", "...]", "…)", "...)"} and text[found.start() - 1] in "[(":  # "[…]": left out
        return False
    if mark not in {"!", "?"}:
        return True
    if last_word(text, start, found.start()).casefold() in abbreviations.EXCLAIMED:
        following = next_word(text, after, final=final)
        return begins_sentence(following) if following else None
    if text[after] == "(":  # "Virginia Woolf? (1962)"
        return not text[after + 1].isdigit() if after + 1 < len(text) else final or None
    return True


def _reads_on(text: str, start: int, end: int) -> bool:
    """True when a quotation or bracket closes behind its own full stop and the sentence goes on, in a script without spaces."""
    if text[end - 1] in "）】》〉)]":
        return text[start] not in "（【《〈(["
    if text[end - 1] not in "”’」』":
        return False
    return _QUOTING.match(text, end) is not None or (text[start] in "“‘「『" and "\u4e00" <= text[end] <= "\u9fff")


def breaks(text: str, *, final: bool) -> Iterator[tuple[int, int]]:
    """Yield where a sentence ends, and where the next one starts, up to the first place that cannot be decided yet."""
    start = 0
    enclosures = Enclosures(text, final=final)
    for found in _END.finditer(text):
        end = found.end(found.lastindex or 0)
        ends = _ends(text, start, found, final=final)
        if ends is False:
            continue
        enclosed = enclosures.open_at(start, end)
        if enclosed:
            continue
        if ends is None or enclosed is None:
            return
        start = found.end()
        yield end, start
