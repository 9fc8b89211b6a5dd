"""Sentence breaks of plain text in any script, by rules that look at little text and never change their mind.

Whether a sentence ends at a place depends on what stands before it, on the word behind it, and on where a quotation or
bracket that is open there closes. Where that is not known yet, neither this end nor a later one is given.
"""

import re
from collections.abc import Iterator

from querygist.text.sentence_ends import abbreviations
from querygist.text.sentence_ends.enclosures import Enclosures
from querygist.text.sentence_ends.full_stops import begins_sentence, full_stop_ends, is_label, last_word, next_word
from querygist.text.sentence_ends.line_ends import is_short_line, line_ends

_CLOSERS = r"\"'”’»›)\]}」』）】》〉"
_STRONG = "。！？｡।॥؟۔።։។៕།༎"  # ends a sentence whatever follows, even without a space
_PHRASED = "\u0e01-\u0e2e\u0e30-\u0e45\u0e47-\u0e4e\u0e81-\u0ec4\u0ec8-\u0ecd"  # Thai and Lao have no full stop
_SPACE = r"[ \u00a0\u202f]"
_END = re.compile(  # no backtracking may help: it would let a later character overturn an end
    rf"([.!?…]+(?:[{_CLOSERS}“«]|{_SPACE}[»›](?!\w)|{_SPACE}?\[\d{{1,3}}\])*)"  # [3] is a footnote of an encyclopedia
    rf"(?:{_SPACE}(?=[^\s»›\[]|[»›]\w|\[(?:\d{{0,3}}[^\d\]]|\d{{4}}|\]))|(?:{_SPACE}\s|(?!{_SPACE})\s)\s*(?=\S))"
    rf"|([{_STRONG}][{_STRONG}.!?…]*(?![{_STRONG}.!?…])[{_CLOSERS}]*(?![{_CLOSERS}]))\s*(?=\S)"
    r"|()\n\s*(?=\S)"
    rf"|() (?<=[{_PHRASED}] )(?=[{_PHRASED}])"
)
_WEAK, _SURE, _LINE, _PHRASE = 1, 2, 3, 4

_ITEM = re.compile(r"(?:[-*•‣◦▪●⁃·–—]|\d{1,3}(?:\.|\.?\))|(?:[a-z]|[ivx]{1,5})\.?\))\s")
_MARKS = ".!?…,;)]"
_LEFT_OUT = {"…]", "...]", "…)", "...)"}  # "[…]"
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
    if is_label(text, start, end):
        return False
    if found[_WEAK] == "." and text[after] not in _MARKS:
        new_line = "\n" in found[0] and is_short_line(text, start, end)
        return full_stop_ends(text, start, found.start(), after, new_line=new_line, final=final)
    if found[_WEAK] in _LEFT_OUT and found.start() and text[found.start() - 1] in "[(":
        return False
    following = next_word(text, after, final=final)
    word = last_word(text, start, found.start()).casefold()
    return None if following is None else _marks_end(found[_WEAK], word, following)


def _marks_end(marks: str, word: str, following: str) -> bool:
    """Decide on other marks than a lone full stop: they end a sentence, unless they belong to a name or a title."""
    if not following.strip(_MARKS):  # ". . .", "! !"
        return False
    if marks in {"...", "…"}:
        return re.fullmatch(r"I(?:['’]\w+)?", following) is None  # "I thought... I would go."
    if marks == "!" and word in abbreviations.EXCLAIMED:
        return begins_sentence(following)
    return not (marks in {"!", "?"} and re.match(r"\(\d", following))  # "Virginia Woolf? (1962)"


def _reads_on(text: str, start: int, end: int) -> bool:
    """True when the sentence goes on behind a quotation or bracket that ends with a full stop, and no space."""
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
