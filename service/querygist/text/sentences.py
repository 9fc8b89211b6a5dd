"""Sentences and words of plain text in any script, by rules that look at little text and never change their mind.

Whether a sentence ends at a place depends on what stands before it and on the first characters after it. So a sentence
end found in the beginning of a text is one in the whole text, and a stream may act on it.
"""

import re
import threading
from collections.abc import Iterator

from Stemmer import Stemmer

from querygist.text.unicode import LETTER, MARK, SYMBOL, UNSPACED

Span = tuple[int, int]
"""Start and end of a piece of text, in code points, the end excluded."""


def _all_of(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


_CLOSERS = r"\"'”’»›)\]}」』）】》〉"
_STRONG = "。！？｡।॥؟۔።။។։"  # ends a sentence whatever follows, even without a space
_END = re.compile(  # nothing to backtrack into: it would let a later character overturn an end
    rf"([.!?…]+(?:[{_CLOSERS}]|\[\d{{1,3}}\])*)\s+(?=\S)"  # [3] is a footnote mark of an encyclopedia
    rf"|([{_STRONG}][{_STRONG}.!?…]*(?![{_STRONG}.!?…])[{_CLOSERS}]*(?![{_CLOSERS}]))\s*(?=\S)"
    r"|()\n\s*(?=\S)"
)
_WEAK, _SURE, _LINE = 1, 2, 3

_ITEM = re.compile(r"(?:[-*•‣◦▪●·–—]|\d{1,3}[.)])\s")
_LABEL = re.compile(r"\s*[(\[]?(?:\w|\d{1,3}|[ivx]{1,5})[.)]*\s*")  # "1.", "b)", "iv." begin a sentence, and are none
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)*[A-Z]")  # also an initial; "p.m." is none, it often ends a sentence
_BEFORE_NAME = _all_of("dr mr mrs ms mx prof st mt ft sr fr rev hon gov gen sen rep col capt lt sgt maj messrs")
_BEFORE_NUMBER = _all_of(
    "no nos fig figs eq eqs sec ch vol vols p pp art tab ca jan feb mar apr jun jul aug sep sept oct nov dec"
)
_BEFORE_ANYTHING = _all_of("e.g i.e eg ie cf vs viz al approx resp incl")
_LONGEST_ABBREVIATION = 16
_SHORT_LINE = 50  # characters; a line that breaks earlier was not wrapped: a heading, an item, a row of a table

_RUN = rf"{LETTER}+(?:{MARK}+{LETTER}*)*"
_WORD = re.compile(rf"{_RUN}(?:(?:['’]|(?<=\d)[.,](?=\d)){_RUN})*|(?:(?=\S)[{UNSPACED}]|{SYMBOL}){MARK}*")
_STOP_WORDS = _all_of(
    "a about an and any are as at be been but by can could did do does for from had has have he her his how i if in "
    "into is it its me my of on or our she should so than that the their them then there these they this those to was "
    "we were what when where which who whom whose why will with would you your"
)
_threads = threading.local()


def _follows_abbreviation(text: str, start: int, dot: int, following: str) -> bool:
    """True when the full stop at `dot` belongs to the word before it, or to the number of an item."""
    if dot - start <= _LONGEST_ABBREVIATION and _LABEL.fullmatch(text, start, dot):
        return True
    near = text[max(start, dot - _LONGEST_ABBREVIATION) : dot].split()
    word = near[-1].lstrip("([{\"'“‘«") if near else ""
    folded = word.casefold()
    return (
        folded in _BEFORE_NAME
        or folded in _BEFORE_ANYTHING
        or (folded in _BEFORE_NUMBER and following.isdigit())
        or _ACRONYM.fullmatch(word) is not None
    )


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    """True when the sentence that began at `start` ends at this candidate."""
    following, kind = text[found.end()], found.lastindex or 0
    breaks = text.count("\n", found.start(), found.end())
    if kind == _SURE or breaks > 1:
        return True
    if breaks:
        line_start = text.rfind("\n", start, found.end(kind)) + 1 or start
        if _ITEM.match(text, found.end()):
            return True
        if found.end(kind) - line_start < _SHORT_LINE and not following.islower():
            return True
    if kind == _LINE or following.islower():
        return False
    return found[_WEAK] != "." or not _follows_abbreviation(text, start, found.start(), following)


def _breaks(text: str) -> Iterator[Span]:
    """Yield where a sentence ends, and where the next one starts."""
    start = 0
    for found in _END.finditer(text):
        if _ends(text, start, found):
            start = found.end()
            yield found.end(found.lastindex or 0), start


def sentence_ends(text: str) -> list[int]:
    """Positions in `text` behind each sentence that is certain to be over, whatever may yet be appended.

    The last sentence is not among them: only what follows a full stop tells whether it ended the sentence.
    """
    return [end for end, _ in _breaks(text)]


def sentence_spans(text: str) -> list[Span]:
    """The sentences in order, without blanks around them; together they hold every character that is not blank."""
    spans = []
    start = len(text) - len(text.lstrip())
    for end, following in _breaks(text):
        while text[end - 1].isspace() and end > start:
            end -= 1  # noqa: PLW2901
        if end > start:
            spans.append((start, end))
        start = max(start, following)
    end = len(text.rstrip())
    return [*spans, (start, end)] if end > start else spans


def bounded_spans(text: str, *, max_words: int = 80, max_chars: int = 600) -> list[Span]:
    """`sentence_spans`, those too long cut between words, and words too long cut anywhere."""
    spans: list[Span] = []
    for start, end in sentence_spans(text):
        if end - start <= max_chars and (end - start < 2 * max_words or len(text[start:end].split()) <= max_words):
            spans.append((start, end))
        else:
            spans += _cut(text, start, end, max_words, max_chars)
    return spans


def _cut(text: str, start: int, end: int, max_words: int, max_chars: int) -> Iterator[Span]:
    """Pieces of a long sentence, as long as the bounds allow."""
    first, last, count = start, start, 0
    for word in re.compile(rf"\S{{1,{max_chars}}}").finditer(text, start, end):
        if count and (count == max_words or word.end() - first > max_chars):
            yield first, last
            count = 0
        if not count:
            first = word.start()
        last, count = word.end(), count + 1
    yield first, last


def words(text: str) -> list[Span]:
    """Words to match by: runs of letters and digits with their inner apostrophes and decimal points, each character
    of a script without spaces, each symbol. Punctuation is left out.
    """
    return [found.span() for found in _WORD.finditer(text)]


def terms(text: str, *, common: bool = False) -> list[str]:
    """Words to search by: casefolded, reduced to English stems, and unless `common` without the commonest English ones.

    Words of other languages pass as they are, or lose what looks like an English ending, in query and document alike.
    """
    found = _WORD.findall(text.casefold().replace("’", "'"))
    kept = found if common else [word for word in found if word not in _STOP_WORDS]
    try:
        stemmer: Stemmer = _threads.stemmer  # a Stemmer must not be shared by threads
    except AttributeError:
        stemmer = _threads.stemmer = Stemmer("english")
    stems: list[str] = stemmer.stemWords(kept)
    return stems
